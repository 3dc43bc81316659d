/**
 * Fetches one file over HTTP so that it is on the disk whole and right, or not at all.
 *
 * Bytes gather in `NAME.part`, which a later call continues with a Range request; the file gets its name only after
 * its size and its hash were compared. The server is not trusted: not its length, not its ranges, not its redirects.
 */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MuseTalkError } from '../core/errors.ts';
import { type Expected, Part } from './part.ts';

/** What a download tells while it runs. */
export interface DownloadProgress {
  /** `check`: the hash is being taken. */
  readonly stage: 'download' | 'check' | 'wait';
  readonly done: number;
  /** Bytes of the whole; undefined until the server has said so. */
  readonly total: number | undefined;
  /** While waiting: what went wrong, and the seconds until the next attempt. */
  readonly problem?: string;
  readonly seconds?: number;
}

/** How patient a download is, and who listens. */
export interface DownloadOptions {
  /** Attempts in a row that may bring no byte; 6 by default. */
  readonly attempts?: number | undefined;
  /** Seconds before the second attempt; doubled each time, up to 30. 1 by default. */
  readonly firstWait?: number | undefined;
  /** Seconds without a byte after which a connection counts as dead; 30 by default. */
  readonly patience?: number | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const MOST_REDIRECTS = 5;
/** Connections for one file, however much each of them brings. */
const MOST_CONNECTIONS = 500;
const LONGEST_WAIT = 30;

/**
 * Downloads `address` to `target`, continuing what an earlier call left. Does nothing for bytes that are there: a
 * caller who wants the file anew removes it first.
 *
 * @throws MuseTalkError DOWNLOAD when the server keeps failing, WRONG_FILE when it sends something else, BAD_OPTION
 * for an address that is not http or https, CANNOT_WRITE; the signal's reason when aborted. What was received stays
 * in the `.part` file, unless it was wrong.
 */
export async function download(
  address: string,
  target: string,
  expected: Expected,
  options: DownloadOptions = {},
): Promise<void> {
  const { attempts = 6, firstWait = 1, signal, onProgress } = options;
  const url = parseAddress(address);
  const part = await Part.open(target);
  try {
    let failures = 0;
    let most = part.size;
    for (let connection = 1; ; connection++) {
      signal?.throwIfAborted();
      const outcome = await attempt(url, part, expected, options);
      if (outcome === 'whole') break;
      // Bytes that came before do not count again: a server without ranges that always breaks off is given up.
      failures = part.size > most ? 1 : failures + 1;
      most = Math.max(most, part.size);
      if (failures >= attempts || connection >= MOST_CONNECTIONS)
        throw givenUp(url, outcome, connection, part);
      const seconds = outcome.wait ?? Math.min(firstWait * 2 ** (failures - 1), LONGEST_WAIT);
      onProgress?.({ stage: 'wait', done: part.size, total: undefined, problem: outcome.why, seconds });
      await sleep(seconds * 1000, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
    }
    const onCheck = (done: number, total: number) => onProgress?.({ stage: 'check', done, total });
    await part.finish(expected, { onCheck, signal });
  } finally {
    await part.close();
  }
}

/** A failure that another attempt may mend; `wait`: seconds that the server asked for. */
interface Setback {
  readonly why: string;
  readonly wait?: number | undefined;
}

/** One connection: adds to the part what comes. */
async function attempt(
  url: URL,
  part: Part,
  expected: Expected,
  options: DownloadOptions,
): Promise<'whole' | Setback> {
  if (part.size > 0 && part.size === expected.bytes) return 'whole';
  const watch = new Watch(options);
  try {
    const response = await request(url, part, watch.signal);
    return await receive(response, url, part, expected, { ...options, onBytes: () => watch.reset() });
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof MuseTalkError) throw error;
    return { why: watch.expired ? `nothing came for ${watch.patience} seconds` : wordsOf(error) };
  } finally {
    watch.stop();
  }
}

/** Aborts when the caller does, and when no byte came for a while. */
class Watch {
  readonly patience: number;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #onAbort: () => void;
  #timer: NodeJS.Timeout;
  expired = false;

  constructor({ patience = 30, signal }: DownloadOptions) {
    this.patience = patience;
    this.#outer = signal;
    this.#onAbort = () => this.#controller.abort(signal?.reason);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#timer = this.#start();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  reset(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#onAbort);
    // Whatever is still being received is not wanted.
    this.#controller.abort();
  }

  #start(): NodeJS.Timeout {
    return setTimeout(() => {
      this.expired = true;
      this.#controller.abort();
    }, this.patience * 1000);
  }
}

/** Asks for the bytes that are lacking, through at most five redirects. */
async function request(url: URL, part: Part, signal: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = {
    'user-agent': 'musetalk',
    // A compressed body would make lengths and ranges mean something else.
    'accept-encoding': 'identity',
  };
  if (part.size > 0) headers.range = `bytes=${part.size}-`;
  let current = url;
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(current, { headers, redirect: 'manual', signal });
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await response.body?.cancel();
    if (redirects === MOST_REDIRECTS)
      throw new MuseTalkError('DOWNLOAD', `${url} leads through more than ${MOST_REDIRECTS} redirects`, {
        hint: 'Give another address with --from.',
        facts: { url: String(url) },
      });
    current = redirectTarget(location, current);
  }
}

function redirectTarget(location: string, from: URL): URL {
  const target = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  const downgrade = from.protocol === 'https:' && target?.protocol !== 'https:';
  if (target && /^https?:$/.test(target.protocol) && !downgrade) return target;
  throw new MuseTalkError('DOWNLOAD', `${from} leads to ${location.slice(0, 200)}, which is not followed`, {
    hint: 'Only http and https are, and never from https back to http. Give another address with --from.',
    facts: { url: String(from), location },
  });
}

type ReceiveOptions = DownloadOptions & { readonly onBytes: () => void };

async function receive(
  response: Response,
  url: URL,
  part: Part,
  expected: Expected,
  options: ReceiveOptions,
): Promise<'whole' | Setback> {
  const { status, headers } = response;
  if (status === 416) return beyondEnd(response, part, expected);
  if (status !== 200 && status !== 206) return refused(response, url);
  if (status === 206 && rangeOf(headers)?.start !== part.size) {
    await part.restart();
    return { why: 'the server sent another range than it was asked for' };
  }
  const total = totalOf(response);
  refuseWebPage(headers, url, expected);
  refuseTotal(total, url, expected);
  // A whole file comes instead of the rest. What is on the disk is given up only when its beginning looks right.
  let startsAnew = status === 200;
  await refuseFullDisk(part, (total ?? least(expected)) - (startsAnew ? 0 : part.size));

  const end = total ?? mostBytes(expected);
  for await (const chunk of bodyOf(response)) {
    if (startsAnew) {
      refuseWrongStart(chunk, url);
      await part.restart();
      startsAnew = false;
    }
    if (part.size + chunk.length > end) {
      await part.restart();
      throw otherSize(url, `more than ${end}`, expected);
    }
    await part.append(chunk);
    options.onBytes();
    options.onProgress?.({ stage: 'download', done: part.size, total: total ?? exactBytes(expected) });
  }
  const wanted = total ?? exactBytes(expected);
  if (wanted !== undefined && part.size < wanted)
    return { why: `the connection ended after ${part.size} of ${wanted} bytes` };
  return 'whole';
}

/** There is no byte where we wanted to continue: either all came already, or the part is not of this file. */
async function beyondEnd(response: Response, part: Part, expected: Expected): Promise<'whole' | Setback> {
  const total = /^bytes \*\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
  await response.body?.cancel();
  if (Number(total) === part.size && part.size >= least(expected)) return 'whole';
  await part.restart();
  return { why: 'the server has no such range' };
}

async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  yield* response.body as unknown as AsyncIterable<Uint8Array>;
}

/** Statuses that a later attempt may change are set-backs; the others end the matter. */
async function refused(response: Response, url: URL): Promise<Setback> {
  const { status, headers } = response;
  await response.body?.cancel();
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const asked = Number(headers.get('retry-after'));
    return {
      why: `the server answered ${status}`,
      wait: asked > 0 ? Math.min(asked, LONGEST_WAIT) : undefined,
    };
  }
  const hint =
    status === 401 || status === 403
      ? 'The server wants a login or blocks this address; fetch the file with a browser, or take a mirror with --from.'
      : 'It may have moved: MODELS.md names its project; a mirror can be given with --from.';
  throw new MuseTalkError('DOWNLOAD', `${url} cannot be had: the server answered ${status}`, {
    hint,
    facts: { url: String(url), status },
  });
}

function rangeOf(headers: Headers): { start: number; total: number | undefined } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  return match
    ? { start: Number(match[1]), total: match[2] === '*' ? undefined : Number(match[2]) }
    : undefined;
}

/** Bytes of the whole file as the server announces them. */
function totalOf({ status, headers }: Response): number | undefined {
  if (status === 206) return rangeOf(headers)?.total;
  const length = headers.get('content-length');
  return length === null ? undefined : Number(length);
}

function refuseWebPage(headers: Headers, url: URL, expected: Expected): void {
  if (!/^text\/html/i.test(headers.get('content-type') ?? '')) return;
  // Small servers say text/html of whatever they do not know; its announced size then still tells.
  if (Number(headers.get('content-length')) >= Math.max(least(expected), 1)) return;
  throw webPage(url);
}

function refuseWrongStart(chunk: Uint8Array, url: URL): void {
  const start = Buffer.from(chunk.subarray(0, 200)).toString('latin1').trimStart().toLowerCase();
  if (start.startsWith('<!doctype') || start.startsWith('<html') || start.startsWith('<?xml'))
    throw webPage(url);
  if (start.startsWith('version https://git-lfs'))
    throw new MuseTalkError('WRONG_FILE', `${url} gives a pointer of Git LFS, not the file it stands for`, {
      hint: 'Give an address that serves the contents (on the hub: …/resolve/main/…).',
      facts: { url: String(url) },
    });
}

function webPage(url: URL): MuseTalkError {
  return new MuseTalkError('WRONG_FILE', `${url} gives a web page instead of the file`, {
    hint: 'Open it in a browser: it may ask for a login or a confirmation. Put the file into the models folder by hand, or take a mirror with --from.',
    facts: { url: String(url) },
  });
}

function refuseTotal(total: number | undefined, url: URL, expected: Expected): void {
  if (total === undefined) return;
  if (total < least(expected) || total > mostBytes(expected)) throw otherSize(url, String(total), expected);
}

function otherSize(url: URL, found: string, expected: Expected): MuseTalkError {
  const wanted = typeof expected.bytes === 'number' ? expected.bytes : `at least ${expected.bytes.atLeast}`;
  return new MuseTalkError('WRONG_FILE', `${url} has ${found} bytes, not ${wanted}`, {
    hint: 'It is another file or another version; take a mirror with --from, or put the right file there by hand.',
    facts: { url: String(url), bytes: found },
  });
}

async function refuseFullDisk({ path }: Part, wanted: number): Promise<void> {
  const disk = await statfs(dirname(path)).catch(() => undefined);
  const free = disk ? disk.bavail * disk.bsize : Number.POSITIVE_INFINITY;
  if (free > wanted) return;
  throw new MuseTalkError(
    'CANNOT_WRITE',
    `${dirname(path)} has ${free} bytes free, and ${wanted} are to come`,
    {
      hint: 'Free some space, or choose another folder with --models.',
      facts: { path, free, wanted },
    },
  );
}

function parseAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new MuseTalkError('BAD_OPTION', `${address.slice(0, 200)} is not an address of the web`, {
    hint: 'Give one that begins with https:// or http://.',
    facts: { address },
  });
}

function givenUp(url: URL, { why }: Setback, connections: number, part: Part): MuseTalkError {
  const kept =
    part.size > 0 ? ` The ${part.size} bytes that came are kept, and the next run continues there.` : '';
  return new MuseTalkError('DOWNLOAD', `${url} could not be fetched in ${connections} attempts: ${why}`, {
    hint: `Try again later, or take a mirror with --from.${kept}`,
    facts: { url: String(url), connections, bytes: part.size },
  });
}

/** `fetch` hides the reason of a failed connection in the cause. */
function wordsOf(error: unknown): string {
  const { message = String(error), cause } = error as { message?: string; cause?: unknown };
  const inner = cause as { message?: string; code?: string } | undefined;
  return inner?.message || inner?.code || message;
}

function exactBytes({ bytes }: Expected): number | undefined {
  return typeof bytes === 'number' ? bytes : undefined;
}

/** No server may fill the disk: what is known by its least size alone may be twice as large. */
function mostBytes({ bytes }: Expected): number {
  return typeof bytes === 'number' ? bytes : 2 * bytes.atLeast + 2 ** 20;
}

function least({ bytes }: Expected): number {
  return typeof bytes === 'number' ? bytes : bytes.atLeast;
}
