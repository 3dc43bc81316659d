/** The calls of the S3 protocol that the service makes: signed by a library, retried here, errors without secrets. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { AwsClient } from 'aws4fetch';
import { MuseTalkError } from '../../core/errors.ts';

/** A place for objects. */
export interface S3Place {
  readonly bucket: string;
  /** Address of the server, without the bucket. */
  readonly endpoint: string;
  readonly region: string;
}

/** Who calls; from the environment alone, and in no message. */
export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** One object of a list. */
export interface S3Object {
  readonly key: string;
  readonly bytes: number;
}

interface Call {
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal | undefined;
  /** Statuses beside 2xx that are answers and no faults. */
  readonly takes?: readonly number[];
}

/** Bytes that are sent at once: the protocol takes no part below 5 MiB but the last, and 10,000 of them. */
const PART = 16 * 2 ** 20;

/** Waits before calls that are made again, in milliseconds. */
const AGAIN_MS = [200, 1000, 4000];

/** Objects of a bucket. Keys are made of letters, digits, `/`, `.`, `_` and `-` alone. */
export class S3 {
  readonly #place: S3Place;
  readonly #client: AwsClient;

  constructor(place: S3Place, keys: S3Keys) {
    this.#place = place;
    const { sessionToken, ...pair } = keys;
    this.#client = new AwsClient({
      ...pair,
      ...(sessionToken !== undefined && { sessionToken }),
      ...{ service: 's3', region: place.region, retries: 0 },
    });
  }

  /**
   * Writes a file as an object, in parts where it is large; there is the whole object or none. An abort waits for the
   * call that is under way: cut off, it might still be carried out later, when nobody expects it any more.
   */
  async put(key: string, path: string, signal?: AbortSignal): Promise<void> {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const read = async (start: number) => {
        const part = new Uint8Array(Math.min(PART, size - start));
        for (let done = 0; done < part.length; ) {
          const { bytesRead } = await file.read(part, done, part.length - done, start + done);
          if (bytesRead === 0)
            throw new MuseTalkError('CONFLICT', 'a file became shorter while it was stored');
          done += bytesRead;
        }
        return part;
      };
      signal?.throwIfAborted();
      if (size <= PART) await this.#call('PUT', key, { body: await read(0) });
      else await this.#putParts(key, size, read, signal);
      signal?.throwIfAborted();
    } finally {
      await file.close();
    }
  }

  async #putParts(
    key: string,
    size: number,
    read: (start: number) => Promise<Uint8Array<ArrayBuffer>>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const begun = await (await this.#call('POST', key, { query: { uploads: '' } })).text();
    const uploadId = fields(begun, 'UploadId')[0] ?? '';
    try {
      const parts: string[] = [];
      for (let start = 0; start < size; start += PART) {
        const query = { partNumber: String(parts.length + 1), uploadId };
        const answer = await this.#call('PUT', key, { query, body: await read(start) });
        await answer.arrayBuffer();
        signal?.throwIfAborted();
        parts.push(answer.headers.get('etag') ?? '');
      }
      const list = parts.map(
        (etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`,
      );
      const body = bytesOf(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`);
      const text = await (await this.#call('POST', key, { query: { uploadId }, body })).text();
      // A fault that shows late comes under a status that says that all is well.
      if (/<Error>/.test(text)) throw this.#refused(200, text);
    } catch (error) {
      await this.#abandon(key, uploadId).catch(() => {}); // `remove` looks for those that are left
      throw error;
    }
  }

  async #abandon(key: string, uploadId: string): Promise<void> {
    await this.#call('DELETE', key, { query: { uploadId }, takes: [404] });
  }

  /** An object, or a part of it: 200, 206, 304, 404, 412 or 416. The body must be read or canceled. */
  get(
    key: string,
    {
      method = 'GET',
      headers = {},
      signal,
    }: {
      method?: 'GET' | 'HEAD';
      headers?: Readonly<Record<string, string>>;
      signal?: AbortSignal | undefined;
    } = {},
  ): Promise<Response> {
    return this.#call(method, key, { headers, signal, takes: [304, 404, 412, 416] });
  }

  /** All objects whose keys begin with a prefix. */
  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<S3Object> {
    for await (const text of this.#pages({ prefix }, signal)) {
      const sizes = fields(text, 'Size');
      yield* fields(text, 'Key').map((key, i) => ({ key, bytes: Number(sizes[i]) }));
    }
  }

  /** What stands between a prefix and the next `/`, once each. */
  async *folders(prefix: string): AsyncGenerator<string> {
    for await (const text of this.#pages({ prefix, delimiter: '/' }))
      for (const [, group = ''] of text.matchAll(/<CommonPrefixes>(.*?)<\/CommonPrefixes>/gs))
        yield fields(group, 'Prefix')[0]!.slice(prefix.length, -1);
  }

  async *#pages(query: Readonly<Record<string, string>>, signal?: AbortSignal): AsyncGenerator<string> {
    for (let token: string | undefined = ''; token !== undefined; ) {
      const more: Record<string, string> = token === '' ? {} : { 'continuation-token': token };
      const answer = await this.#call('GET', '', { query: { 'list-type': '2', ...query, ...more }, signal });
      const text = await answer.text();
      yield text;
      token = fields(text, 'NextContinuationToken')[0];
    }
  }

  /** Removes all objects whose keys begin with a prefix, and what was begun of others and never ended. */
  async remove(prefix: string): Promise<void> {
    const query = { uploads: '', prefix };
    // Not every server knows this call, or lets everybody make it.
    const begun = await (await this.#call('GET', '', { query, takes: [400, 403, 404, 405, 501] })).text();
    for (const [, one = ''] of begun.matchAll(/<Upload>(.*?)<\/Upload>/gs))
      await this.#abandon(fields(one, 'Key')[0]!, fields(one, 'UploadId')[0]!);
    const keys: string[] = [];
    for await (const { key } of this.list(prefix)) keys.push(key);
    // One by one: not every server knows how to remove several at once.
    while (keys.length > 0)
      await Promise.all(keys.splice(0, 8).map((key) => this.#call('DELETE', key, { takes: [404] })));
  }

  /** Asks for something cheap. @throws MuseTalkError UNAVAILABLE with what the server said. */
  async check(signal?: AbortSignal): Promise<void> {
    const query = { 'list-type': '2', 'max-keys': '1' };
    await (await this.#call('GET', '', { query, signal })).arrayBuffer();
  }

  async #call(method: string, key: string, call: Call): Promise<Response> {
    const { endpoint, bucket } = this.#place;
    const query = new URLSearchParams(call.query ?? {});
    const url = `${endpoint}/${bucket}${key && `/${key}`}${query.size > 0 ? `?${query}` : ''}`;
    for (let tries = 0; ; tries++) {
      const answer = await this.#send(method, url, call).catch((error: unknown) => error);
      call.signal?.throwIfAborted();
      const wait = AGAIN_MS[tries];
      if (answer instanceof Response) {
        if (answer.ok || call.takes?.includes(answer.status)) return answer;
        const text = await answer.text().catch(() => '');
        if (wait === undefined || !(answer.status >= 500 || answer.status === 429) || answer.status === 507)
          throw this.#refused(answer.status, text);
      } else if (wait === undefined)
        throw this.#failed(`${causeOf(answer)}`, 'Try again when it can be reached.', answer);
      await sleep(wait, undefined, call.signal ? { signal: call.signal } : {});
    }
  }

  async #send(method: string, url: string, { headers, body, signal }: Call): Promise<Response> {
    const hash = createHash('sha256')
      .update(body ?? '')
      .digest('hex');
    const request = await this.#client.sign(url, {
      ...{ method, headers: { ...headers, 'x-amz-content-sha256': hash } },
      ...(body && { body }),
    });
    // A redirect would take the signature to another host.
    return fetch(request, { redirect: 'manual', ...(signal && { signal }) });
  }

  #refused(status: number, text: string): MuseTalkError {
    const code = fields(text, 'Code')[0] ?? `status ${status}`;
    if (status === 507 || /StorageFull|QuotaExceeded/.test(code))
      return new MuseTalkError('CANNOT_WRITE', `the store ${this.#name} is full (${code})`, {
        hint: 'Make room in the bucket.',
      });
    return this.#failed(code, 'Check the name of the bucket, its region, and the keys in the environment.');
  }

  #failed(why: string, hint: string, cause?: unknown): MuseTalkError {
    return new MuseTalkError('UNAVAILABLE', `the store ${this.#name} does not serve: ${why}`, {
      hint,
      cause,
    });
  }

  get #name(): string {
    return `s3://${this.#place.bucket}`;
  }
}

/** The texts of all elements of a name. S3's answers are flat enough for that. */
function fields(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, text = '']) =>
    text.replace(/&(amp|lt|gt|quot|apos|#34|#39);/g, (_, entity: string) => ENTITIES[entity]!),
  );
}

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" },
  ...{ '#34': '"', '#39': "'" },
};

function escapeXml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

/** `fetch` says that it failed, and its cause why. */
function causeOf(error: unknown): string {
  const { message, cause } = error as Error;
  const inner = cause as (NodeJS.ErrnoException & { errors?: Error[] }) | undefined;
  return inner?.code ?? (inner?.message || message);
}
