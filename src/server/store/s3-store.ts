/** Inputs and results in a bucket of an S3-compatible store; each machine works in a folder of its own. */
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MuseTalkError } from '../../core/errors.ts';
import { cannotWrite } from '../../media/output.ts';
import { type Files, isId, sizeOf } from '../files.ts';
import { S3 } from './s3.ts';
import type { FileRequest, Store, StoredFile, StoreOptions } from './store.ts';

/** Headers of a request that go on to the store. */
const ASKED = ['range', 'if-range', 'if-none-match', 'if-modified-since'];

/** Headers of its answer that go on to the caller. */
const TOLD = ['content-length', 'content-range', 'accept-ranges', 'etag', 'last-modified'];

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

  async load(job: string, signal?: AbortSignal): Promise<void> {
    const folder = this.#files.job(job);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const prefix = this.#key(job, '');
    for await (const { key, bytes } of this.#s3.list(prefix, signal)) {
      const name = key.slice(prefix.length);
      if (!/^[\w-][\w.-]*$/.test(name)) continue; // of an attempt
      const path = join(folder, name);
      if ((await sizeOf(path)) !== bytes) await this.#fetch(key, path, signal);
    }
  }

  async #fetch(key: string, path: string, signal: AbortSignal | undefined): Promise<void> {
    const answer = await this.#s3.get(key, { signal });
    if (answer.status !== 200 || !answer.body) {
      await answer.body?.cancel();
      throw new MuseTalkError('UNAVAILABLE', 'an input of the job is not in the store any more');
    }
    try {
      const file = createWriteStream(`${path}.part`, { mode: 0o600 });
      await pipeline(Readable.fromWeb(answer.body), file, signal ? { signal } : {});
      const expected = answer.headers.get('content-length');
      if (expected !== null && (await sizeOf(`${path}.part`)) !== Number(expected))
        throw new MuseTalkError('UNAVAILABLE', 'an input came from the store in part');
      await rename(`${path}.part`, path);
    } catch (error) {
      await rm(`${path}.part`, { force: true });
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

  async remove(job: string, attempt?: string): Promise<void> {
    if (attempt === undefined) await this.#files.removeJob(job);
    await this.#s3.remove(this.#key(job, attempt === undefined ? '' : `${attempt}/`));
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
