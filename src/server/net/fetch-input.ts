/** Inputs by address: fetched by this process itself, never by FFmpeg, within limits of size, time and redirects. */
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MuseTalkError } from '../../core/errors.ts';
import { sniff } from '../../media/sniff.ts';
import { call, checkAddress, type OutboundRules } from './outbound.ts';

/** Fetches a media file of at most `limit` bytes. */
export type InputFetcher = (url: string, path: string, limit: number) => Promise<void>;

/** Rules of fetching. */
export interface FetchOptions extends OutboundRules {
  /** Seconds for all of it. */
  readonly timeout?: number;
}

const MOST_REDIRECTS = 3;

/**
 * A fetcher under rules. Each redirect is checked as the first address was.
 *
 * @throws MuseTalkError ADDRESS_REFUSED, DOWNLOAD, TOO_LARGE, TIMEOUT, WRONG_FILE.
 */
export function inputFetcher({ timeout = 600, ...rules }: FetchOptions): InputFetcher {
  return async (url, path, limit) => {
    const signal = AbortSignal.timeout(timeout * 1000);
    try {
      const answer = await follow(url, rules, signal);
      await save(answer, url, path, limit, signal);
      await sniff(path, { bytes: limit });
    } catch (error) {
      await rm(path, { force: true });
      if (error instanceof MuseTalkError) throw error;
      if (signal.aborted)
        throw new MuseTalkError('TIMEOUT', `${url} was not fetched within ${timeout} s`, { cause: error });
      throw failed(url, (error as Error).message, error);
    }
  };
}

async function follow(url: string, rules: OutboundRules, signal: AbortSignal): Promise<IncomingMessage> {
  let next = url;
  for (let i = 0; i <= MOST_REDIRECTS; i++) {
    const answer = await call(await checkAddress(next, rules), { method: 'GET', signal }, rules);
    const { statusCode = 0, headers } = answer;
    if (statusCode === 200) return answer;
    answer.destroy();
    if (statusCode < 300 || statusCode > 399 || !headers.location)
      throw failed(next, `the answer was ${statusCode}`);
    next = URL.canParse(headers.location, next) ? new URL(headers.location, next).href : headers.location;
  }
  throw failed(url, `more than ${MOST_REDIRECTS} redirects`);
}

async function save(
  answer: IncomingMessage,
  url: string,
  path: string,
  limit: number,
  signal: AbortSignal,
): Promise<void> {
  const declared = Number(answer.headers['content-length']);
  const tooLarge = () =>
    new MuseTalkError('TOO_LARGE', `${url} has more than ${limit} bytes`, {
      facts: { what: 'bytes', limit },
    });
  if (declared > limit) {
    answer.destroy();
    throw tooLarge();
  }
  let size = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _, done) {
      size += chunk.length;
      done(size > limit ? tooLarge() : null, chunk);
    },
  });
  await pipeline(answer, counted, createWriteStream(path, { flags: 'wx', mode: 0o600 }), { signal });
  if (Number.isFinite(declared) && size !== declared) throw failed(url, `${size} of ${declared} bytes came`);
}

function failed(url: string, why: string, cause?: unknown): MuseTalkError {
  return new MuseTalkError('DOWNLOAD', `${url.slice(0, 200)} could not be fetched: ${why}`, { cause });
}
