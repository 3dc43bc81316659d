/** What every request passes first: headers of the answer, the name it was called by, the page it came from, its pace. */
import type { IncomingMessage } from 'node:http';
import { hostname } from 'node:os';
import { MuseTalkError } from '../core/errors.ts';
import { isLoopback } from './net/address.ts';

/** Sent with every answer; a route may be stricter about its own content. */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(self), microphone=(self), geolocation=()',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
};

const UNSAFE = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** Names by which a service on `host` may be called: a page that gets it under another name is an attack (rebinding). */
export function allowedNames(host: string, more: string | undefined): ReadonlySet<string> | undefined {
  const names = new Set(
    (more ?? '')
      .split(',')
      .map((name) => name.trim().toLowerCase())
      .filter(Boolean),
  );
  if (isLoopback(host))
    for (const name of ['localhost', '127.0.0.1', '[::1]', host]) names.add(name.toLowerCase());
  // On all addresses with tokens, the names are unknown unless they are given; the token protects.
  else if (names.size === 0) return undefined;
  else for (const name of [host, hostname().toLowerCase()]) names.add(name);
  return names;
}

/**
 * Refuses requests that a page of another origin, or under another name, made a browser send.
 *
 * @throws MuseTalkError FORBIDDEN.
 */
export function checkOrigin(request: IncomingMessage, names: ReadonlySet<string> | undefined): void {
  const { host = '', origin } = request.headers;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  if (names && !names.has(name))
    throw new MuseTalkError('FORBIDDEN', `this service is not called ${JSON.stringify(name.slice(0, 100))}`, {
      hint: 'Start it with --allow-host to give it a name.',
    });
  if (!UNSAFE.has(request.method ?? '') || origin === undefined) return;
  const own = URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
  if (own && request.headers['sec-fetch-site'] !== 'cross-site') return;
  throw new MuseTalkError('FORBIDDEN', 'the request comes from a page of another origin', {
    hint: "Call the API from the service's own page, or from a program.",
  });
}

/** How fast a body must come. */
export interface Pace {
  /** Bytes a second that a body must come with, measured over `seconds`. */
  readonly least: number;
  readonly seconds: number;
}

/** Slower than any line of today, faster than one who means to hold a place. */
export const PACE: Pace = { least: 256, seconds: 30 };

/** Ends a connection whose body comes more slowly than the pace, however lively it drips. */
export function watchPace(request: IncomingMessage, { least, seconds }: Pace): void {
  const { socket } = request;
  let before = socket.bytesRead;
  let left = Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY);
  const timer = setInterval(() => {
    const came = socket.bytesRead - before;
    before = socket.bytesRead;
    left -= came;
    // While our own side is slow to take it (a full disk queue), the client is not to blame.
    if (request.readableLength > 0 || left <= 0) return;
    if (came < least * seconds) socket.destroy();
  }, seconds * 1000);
  timer.unref();
  const stop = () => clearInterval(timer);
  request.once('end', stop).once('close', stop);
}
