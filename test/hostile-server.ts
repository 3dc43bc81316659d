import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** A request as a test sees it. */
export interface Seen {
  readonly path: string;
  readonly range: string | undefined;
}

/** One behaviour: answers a request for `body`. `attempt` counts the requests for this path, from 1. */
export type Answer = (
  request: IncomingMessage,
  response: ServerResponse,
  context: { body: Buffer; attempt: number; start: number; base: string },
) => void;

/** A server on this machine that answers each path in its own way; closed after the test. */
export async function serve(
  t: TestContext,
  body: Buffer,
  answers: Readonly<Record<string, Answer>>,
): Promise<{ base: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const range = request.headers.range;
    seen.push({ path, range });
    const attempt = seen.filter((one) => one.path === path).length;
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const answer = answers[path];
    if (answer) answer(request, response, { body, attempt, start, base });
    else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { base, seen };
}

/** A server as it should be: ranges, lengths, everything. */
export const honest: Answer = (_request, response, { body, start }) => {
  if (start >= body.length && start > 0) {
    response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
    return;
  }
  const part = body.subarray(start);
  const headers = { 'content-length': part.length, 'content-type': 'application/octet-stream' };
  if (start === 0) response.writeHead(200, headers);
  else
    response.writeHead(206, {
      ...headers,
      'content-range': `bytes ${start}-${body.length - 1}/${body.length}`,
    });
  response.end(part);
};

/** Breaks the connection after `bytes` bytes of each answer. */
export function dropsAfter(bytes: number): Answer {
  return (_request, response, { body, start }) => {
    const part = body.subarray(start);
    if (part.length <= bytes) return honest(_request, response, { body, start, attempt: 0, base: '' });
    const headers = { 'content-length': part.length };
    if (start === 0) response.writeHead(200, headers);
    else
      response.writeHead(206, {
        ...headers,
        'content-range': `bytes ${start}-${body.length - 1}/${body.length}`,
      });
    // What the reader has not taken when the connection ends is lost to it, and other work may delay a reader.
    response.write(part.subarray(0, bytes), () => setTimeout(() => response.destroy(), 250));
  };
}
