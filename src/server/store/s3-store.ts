/** Inputs and results in a bucket of an S3-compatible store; each machine works in a folder of its own. */
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MuseTalkError } from '../../core/errors.ts';
import { cannotWrite } from '../../media/output.ts';
import { type Files, fencesAmong, isId, sizeOf, workName } from '../files.ts';
import { S3 } from './s3.ts';
import type { FileRequest, LoadOptions, Store, StoredFile, StoreOptions } from './store.ts';

/** Headers of a request that go on to the store. */
const ASKED = ['range', 'if-range', 'if-none-match', 'if-modified-since'];

/** Headers of its answer that go on to the caller. */
const TOLD = ['content-length', 'content-range', 'accept-ranges', 'etag', 'last-modified'];

/** Names of files within a job; nothing else of the bucket is written to this machine's disk. */
const NAME = /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/;

/** Milliseconds that the store may take to say that it is there. */
const CHECK_MS = 10_000;

/** A bucket, or what lies under a prefix of it, as the store. */
export class S3Store implements Store {
  readonly #files: Files;
  readonly #s3: S3;
  readonly #prefix: string;

  private constructor(files: Files, s3: S3, prefix: string) {
    this.#files = files;
    this.#s3 = s3;
    this.#prefix = prefix;
  }

  /** Opens it. @throws MuseTalkError BAD_OPTION without keys in the environment; UNAVAILABLE when it does not answer. */
  static async open(files: Files, { store, storeEndpoint, storeRegion }: StoreOptions): Promise<S3Store> {
    const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION } = process.env;
    const [, bucket = '', path = ''] = /^s3:\/\/([^/]+)\/?(.*?)\/?$/.exec(store) ?? [];
    const region = storeRegion || AWS_REGION || AWS_DEFAULT_REGION || 'us-east-1';
    const given = storeEndpoint || AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL;
    const endpoint = (given || `https://s3.${region}.amazonaws.com`).replace(/\/+$/, '');
    const s3 = new S3({ bucket, endpoint, region }, keysFromEnvironment());
    await s3.check(AbortSignal.timeout(CHECK_MS)).catch((error) => {
      if (error instanceof MuseTalkError) throw error;
      throw new MuseTalkError('UNAVAILABLE', `the store at ${endpoint} does not answer`, {
        hint: 'Check --store-endpoint.',
      });
    });
    return new S3Store(files, s3, path === '' ? '' : `${path}/`);
  }

  async save(job: string, names: readonly string[], signal?: AbortSignal): Promise<void> {
    const folder = this.#files.job(job);
    for (const name of names) await this.#s3.put(this.#key(job, name), join(folder, name), signal);
  }

  async load(job: string, { whole = false, parts = 0, signal }: LoadOptions = {}): Promise<void> {
    const folder = this.#files.job(job);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const prefix = this.#key(job, '');
    const kept = new Map<string, number>();
    for await (const { key, bytes } of this.#s3.list(prefix, signal))
      kept.set(key.slice(prefix.length), bytes);
    const here = await readdir(folder);
    const there = [...new Set([...kept.keys()].map(folderOf))];
    const attempts = [...(whole ? [undefined] : []), ...Array.from({ length: parts }, (_, part) => part)];
    const wanted = new Set(['', ...attempts.flatMap((part) => newestIn(there, here, part) ?? [])]);
    for (const [name, bytes] of kept) {
      if (!wanted.has(folderOf(name)) || !NAME.test(name)) continue;
      const path = join(folder, name);
      if ((await sizeOf(path)) === bytes) continue;
      await mkdir(dirname(path), { recursive: true });
      await this.#fetch(`${prefix}${name}`, path, signal);
    }
  }

  async #fetch(key: string, path: string, signal: AbortSignal | undefined): Promise<void> {
    const answer = await this.#s3.get(key, { signal });
    if (answer.status !== 200 || !answer.body) {
      await answer.body?.cancel();
      throw new MuseTalkError('UNAVAILABLE', 'an input of the job is not in the store any more');
    }
    // Another program of this machine may be fetching the same file.
    const coming = `${path}.${process.pid}.part`;
    try {
      const file = createWriteStream(coming, { mode: 0o600 });
      await pipeline(Readable.fromWeb(answer.body), file, signal ? { signal } : {});
      const expected = answer.headers.get('content-length');
      if (expected !== null && (await sizeOf(coming)) !== Number(expected))
        throw new MuseTalkError('UNAVAILABLE', 'an input came from the store in part');
      await rename(coming, path);
    } catch (error) {
      await rm(coming, { force: true });
      signal?.throwIfAborted();
      if (error instanceof MuseTalkError) throw error;
      if ('syscall' in (error as object)) throw cannotWrite(path, error);
      throw new MuseTalkError('UNAVAILABLE', 'the connection to the store broke', { cause: error });
    }
  }

  async release(job: string): Promise<void> {
    await this.#files.removeJob(job);
  }

  async file(job: string, name: string, { method, headers }: FileRequest): Promise<StoredFile | undefined> {
    const asked = pick(ASKED, (header) => headers[header]);
    const answer = await this.#s3.get(this.#key(job, name), {
      method: method === 'HEAD' ? 'HEAD' : 'GET',
      headers: asked,
    });
    const { status, body } = answer;
    if (status === 404 || status === 412) {
      await body?.cancel();
      return undefined;
    }
    const whole = status === 200 || status === 206;
    if (!whole) await body?.cancel();
    const told = whole ? TOLD : TOLD.filter((header) => header !== 'content-length');
    return {
      status,
      headers: pick(told, (header) => answer.headers.get(header) ?? undefined),
      body: whole && body ? Readable.fromWeb(body) : undefined,
    };
  }

  async bytes(job: string, name: string, most?: number): Promise<Buffer | undefined> {
    const headers: Record<string, string> = most === undefined ? {} : { range: `bytes=0-${most - 1}` };
    const answer = await this.#s3.get(this.#key(job, name), { headers });
    const found = answer.status === 200 || answer.status === 206;
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (answer.status === 416) return Buffer.alloc(0);
    return found ? bytes : undefined;
  }

  async remove(job: string): Promise<void> {
    await this.#files.removeJob(job);
    await this.#s3.remove(this.#key(job, ''));
  }

  async forget(job: string, attempts: { only: string } | { allBut: string }): Promise<void> {
    const folders: string[] = [];
    if ('only' in attempts) folders.push(attempts.only);
    else
      for await (const name of this.#s3.folders(this.#key(job, '')))
        if (name !== attempts.allBut) folders.push(name);
    for (const name of folders) await this.#s3.remove(this.#key(job, `${name}/`));
  }

  async *jobs(): AsyncGenerator<string> {
    for await (const name of this.#s3.folders(`${this.#prefix}jobs/`)) if (isId(name)) yield name;
  }

  async healthy(): Promise<boolean> {
    return this.#s3.check(AbortSignal.timeout(CHECK_MS)).then(
      () => true,
      () => false,
    );
  }

  #key(job: string, name: string): string {
    return `${this.#prefix}jobs/${job}/${name}`;
  }
}

function folderOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf('/')));
}

/**
 * The folder of the newest attempt at the whole job, or at a part of it, of those in the store; none where a newer
 * one is here, which went on from it.
 */
function newestIn(there: readonly string[], here: readonly string[], part: number | undefined) {
  const [newest, own] = [there, here].map((names) => Math.max(0, ...fencesAmong(names, part)));
  return newest! > 0 && newest! >= own! ? workName(newest!, part) : undefined;
}

/** @throws MuseTalkError BAD_OPTION. */
function keysFromEnvironment() {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
  if (AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY)
    return {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      sessionToken: AWS_SESSION_TOKEN || undefined,
    };
  throw new MuseTalkError('BAD_OPTION', 'store: there are no keys for it in the environment', {
    hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
    facts: { problems: ['store'] },
  });
}

function pick(
  names: readonly string[],
  value: (name: string) => string | string[] | undefined,
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const text = value(name);
      return typeof text === 'string' ? [[name, text]] : [];
    }),
  );
}
