/**
 * Calls to the outside whose address a client chose. Only https, only to addresses of the public internet, and to the
 * very address that was checked: the name is looked up once, here, and the connection goes to what was found.
 */
import { promises as dns, type LookupAddress } from 'node:dns';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { isIP } from 'node:net';
import { MuseTalkError } from '../../core/errors.ts';
import { isPublic } from './address.ts';

/** Who may be called. */
export interface OutboundRules {
  /** Hosts that may be called; every public one without a list. */
  readonly hosts?: readonly string[] | undefined;
  /** Addresses that may be called; for tests, which have no public ones. */
  readonly allowed?: (address: string) => boolean;
  /** Looks a name up; for tests. */
  readonly resolve?: (host: string) => Promise<readonly LookupAddress[]>;
  /** A certificate to trust beside the usual ones; for tests. */
  readonly ca?: string | undefined;
}

/** One call. */
export interface OutboundCall {
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Ends the call and the reading of its answer. */
  readonly signal: AbortSignal;
}

/** Ports that are called. */
const PORTS = new Set(['', '443', '8443']);

/**
 * The address that a URL may be called at.
 *
 * @throws MuseTalkError ADDRESS_REFUSED.
 */
export async function checkAddress(
  url: string,
  rules: OutboundRules,
): Promise<{ url: URL; address: LookupAddress }> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed) throw refused(url, 'it is no address');
  // WHATWG parsing has turned decimal, octal and short forms into dotted ones; what is checked is what is called.
  const host = parsed.hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  if (parsed.protocol !== 'https:') throw refused(url, 'only https is called');
  if (parsed.username || parsed.password) throw refused(url, 'it holds a name or a password');
  if (!PORTS.has(parsed.port) && !rules.allowed) throw refused(url, `port ${parsed.port} is not called`);
  if (
    rules.hosts &&
    !rules.hosts.some((one) => host === one || (one.startsWith('*.') && host.endsWith(one.slice(1))))
  )
    throw refused(url, `${host} is not among the hosts that may be called`);
  const found = isIP(host) ? [{ address: host, family: isIP(host) }] : await lookUp(url, host, rules);
  const allowed = rules.allowed ?? isPublic;
  // One bad address among several is enough: a name that leads to both is no honest name.
  const bad = found.find(({ address }) => !allowed(address));
  if (bad || !found[0]) throw refused(url, 'it leads to no public address');
  return { url: parsed, address: found[0] };
}

async function lookUp(
  url: string,
  host: string,
  { resolve }: OutboundRules,
): Promise<readonly LookupAddress[]> {
  try {
    return await (resolve ? resolve(host) : dns.lookup(host, { all: true, verbatim: true }));
  } catch (cause) {
    throw refused(url, 'its name is not known', cause);
  }
}

/** Calls an address that `checkAddress` gave. Redirects are not followed. */
export async function call(
  { url, address }: { url: URL; address: LookupAddress },
  { method, headers = {}, body, signal }: OutboundCall,
  { ca }: OutboundRules,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      ...{ method, signal, agent: false, maxHeaderSize: 16 * 1024 },
      headers: {
        'user-agent': 'musetalk',
        ...headers,
        ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
      },
      // The name is not looked up again; certificates are still checked against it.
      lookup: (_host, options, done) => {
        if (options.all) done(null, [address]);
        else done(null, address.address, address.family);
      },
      ...(ca !== undefined && { ca }),
    });
    asked.on('response', resolve).on('error', reject);
    asked.end(body);
  });
}

function refused(url: string, why: string, cause?: unknown): MuseTalkError {
  return new MuseTalkError('ADDRESS_REFUSED', `${url.slice(0, 200)} is not called: ${why}`, {
    hint: 'Give an https address of a public host.',
    cause,
  });
}
