/**
 * Files that clients sent: streamed to disk, whole or continued later by the tus protocol. An upload is a file named
 * by an id, and beside it what is known of it; its client's own name for it is kept as text.
 */
import { createWriteStream } from 'node:fs';
import { readdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { FileStore } from '@tus/file-store';
import { Server as TusServer, type Upload } from '@tus/server';
import { ERROR_CODES, type ErrorCode, MuseTalkError } from '../core/errors.ts';
import { cannotWrite } from '../media/output.ts';
import { type MediaKind, sniff } from '../media/sniff.ts';
import { type Files, isId, newId, sizeOf } from './files.ts';
import type { Looks } from './looks.ts';
import type { UploadView } from './protocol.ts';
import { displayText } from './request.ts';
import { withoutPaths } from './work/attempt.ts';

/** How much may be sent and kept. */
export interface UploadLimits {
  /** Bytes of one upload, and of all of one owner. */
  readonly bytes: number;
  readonly perOwner: number;
  /** Bytes that stay free on the disk. */
  readonly free: number;
}

/** What is kept beside a file, in the form of the tus library. */
interface Kept {
  readonly id: string;
  readonly size?: number;
  readonly offset: number;
  readonly metadata?: Readonly<Record<string, string | null>>;
  readonly creation_date?: string;
}

/** Uploads of one owner in number, finished or not. */
const MOST_UPLOADS = 1000;

/** The uploads of all owners. */
export class Uploads {
  readonly #files: Files;
  readonly #looks: Looks;
  readonly #limits: UploadLimits;
  readonly #tus: TusServer;
  readonly #owners = new WeakMap<IncomingMessage, string>();
  /** Bytes that are being received now, by owner. */
  readonly #receiving = new Map<string, number>();

  constructor(files: Files, looks: Looks, limits: UploadLimits) {
    this.#files = files;
    this.#looks = looks;
    this.#limits = limits;
    this.#tus = new JsonTus({
      path: '/v1/uploads',
      datastore: new TidyStore(files),
      relativeLocation: true,
      maxSize: limits.bytes,
      // CORS is closed: no origin is told that it may read.
      allowedOrigins: () => false,
      namingFunction: () => newId(),
      generateUrl: (_request, { path, id }) => `${path}/${id}`,
      getFileIdFromRequest: (_request, last) => (last !== undefined && isId(last) ? last : undefined),
      onIncomingRequest: async (request, id) => {
        if (request.method !== 'POST') await this.#kept(id, this.#ownerOf(request));
      },
      onUploadCreate: async (request, upload) => {
        const owner = this.#ownerOf(request);
        await this.#makeRoom(owner, upload.size ?? this.#limits.bytes);
        const name = displayText(upload.metadata?.filename ?? upload.metadata?.name ?? '');
        return { metadata: { owner, name } };
      },
      onUploadFinish: async (_request, { id }) => {
        const kind = await this.#settle(id, this.#files.upload(id));
        this.#looks.ahead(this.#files.upload(id), kind);
        return {};
      },
      onResponseError: (_request, error) => tusError(error, this.#files),
    });
  }

  /** Answers a request of the tus protocol. */
  async handleTus(owner: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#owners.set(request, owner);
    await this.#tus.handle(request, response);
  }

  /**
   * Takes a file in one go. Nothing is left of one that breaks off.
   *
   * @throws MuseTalkError TOO_LARGE, STORAGE_FULL, WRONG_FILE, BAD_FILE, CANNOT_WRITE; the stream's own error.
   */
  async receive(
    owner: string,
    stream: Readable,
    { name, declared }: { name?: string; declared?: number },
  ): Promise<UploadView> {
    if (declared !== undefined) this.#refuseAbove(declared);
    await this.#makeRoom(owner, declared ?? 0);
    const id = newId();
    const part = `${this.#files.upload(id)}.part`;
    const before = this.#receiving.get(owner) ?? 0;
    this.#receiving.set(owner, before + (declared ?? 0));
    try {
      const size = await this.#write(stream, part);
      await this.#makeRoom(owner, declared === undefined ? size : 0);
      const kept: Kept = {
        ...{ id, size, offset: size, creation_date: new Date().toISOString() },
        metadata: { owner, name: displayText(name ?? '') },
      };
      await writeFile(`${this.#files.upload(id)}.json`, JSON.stringify(kept));
      const kind = await this.#settle(id, part);
      await rename(part, this.#files.upload(id));
      this.#looks.ahead(this.#files.upload(id), kind);
      return await this.get(id, owner);
    } catch (error) {
      await this.#files.removeUpload(id);
      throw error;
    } finally {
      const rest = (this.#receiving.get(owner) ?? 0) - (declared ?? 0);
      if (rest > 0) this.#receiving.set(owner, rest);
      else this.#receiving.delete(owner);
    }
  }

  async #write(stream: Readable, path: string): Promise<number> {
    let size = 0;
    const counted = new Transform({
      transform: (chunk: Buffer, _, done) => {
        size += chunk.length;
        done(size > this.#limits.bytes ? tooLarge(size, this.#limits.bytes) : null, chunk);
      },
    });
    const file = createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true });
    try {
      await pipeline(stream, counted, file);
    } catch (error) {
      if (['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? ''))
        throw cannotWrite('the upload', error);
      throw error;
    }
    return size;
  }

  /** What is known of an upload. @throws MuseTalkError NOT_FOUND, also where it is another owner's. */
  async get(id: string, owner: string): Promise<UploadView> {
    const kept = await this.#kept(id, owner);
    const received = (await sizeOf(this.#files.upload(id))) ?? 0;
    return {
      ...{ id, object: 'upload', name: kept.metadata?.name || null },
      bytes: kept.size ?? received,
      received,
      complete: kept.size === received && kept.metadata?.kind != null,
      kind: kept.metadata?.kind ?? null,
      createdAt: kept.creation_date ?? new Date(0).toISOString(),
    };
  }

  /** The file of a finished upload. @throws MuseTalkError NOT_FOUND, CONFLICT where parts are missing. */
  async file(id: string, owner: string): Promise<string> {
    const { complete } = await this.get(id, owner);
    if (complete) return this.#files.upload(id);
    throw new MuseTalkError('CONFLICT', `the upload ${id} is not complete`, {
      hint: 'Send the rest first.',
      facts: { id },
    });
  }

  async remove(id: string, owner: string): Promise<void> {
    await this.#kept(id, owner);
    await this.discard(id);
  }

  /** Removes an upload, whosever it is, once nothing reads it any more. */
  async discard(id: string): Promise<void> {
    await this.#looks.forget(this.#files.upload(id));
    await this.#files.removeUpload(id);
  }

  /** The owner's uploads, newest first. */
  async list(owner: string): Promise<UploadView[]> {
    const ids = await this.#ids();
    const all = await Promise.all(ids.map((id) => this.get(id, owner).catch(() => undefined)));
    return all.filter((upload) => upload !== undefined).reverse();
  }

  /** Removes uploads made before a time, and files that belong to none. */
  async sweep(before: number): Promise<void> {
    for (const name of await readdir(this.#files.uploads)) {
      const [, id] = /^([0-9a-z]{26})(\.json)?(\.part)?$/.exec(name) ?? [];
      if (id === undefined) await rm(join(this.#files.uploads, name), { force: true, recursive: true });
      else if (ageOf(id) < before) await this.discard(id);
    }
  }

  #ownerOf(request: { runtime?: { node?: { req: unknown } | undefined } | undefined }): string {
    const owner = this.#owners.get(request.runtime?.node?.req as IncomingMessage);
    if (owner === undefined) throw new MuseTalkError('UNAUTHORIZED', 'a token is needed', {});
    return owner;
  }

  async #ids(): Promise<string[]> {
    const names = await readdir(this.#files.uploads);
    return names.flatMap((name) => /^([0-9a-z]{26})\.json$/.exec(name)?.[1] ?? []).sort();
  }

  async #kept(id: string, owner: string): Promise<Kept> {
    const text = await readFile(`${this.#files.upload(id)}.json`, 'utf8').catch(() => undefined);
    const kept = text === undefined ? undefined : (JSON.parse(text) as Kept);
    if (kept && kept.metadata?.owner === owner) return kept;
    throw new MuseTalkError('NOT_FOUND', `there is no upload ${id}`, {
      hint: 'Send the file first, with POST /v1/uploads.',
      facts: { id },
    });
  }

  /** Looks at the first bytes of a whole file; one that is no media file is not kept. */
  async #settle(id: string, path: string): Promise<MediaKind> {
    try {
      const found = await sniff(path, { bytes: this.#limits.bytes });
      const about = `${this.#files.upload(id)}.json`;
      const kept = JSON.parse(await readFile(about, 'utf8')) as Kept;
      const size = await sizeOf(path);
      await writeFile(
        `${about}.part`,
        JSON.stringify({ ...kept, size, offset: size, metadata: { ...kept.metadata, kind: found.name } }),
      );
      await rename(`${about}.part`, about);
      return found;
    } catch (error) {
      await this.#files.removeUpload(id);
      throw error;
    }
  }

  #refuseAbove(bytes: number): void {
    if (bytes > this.#limits.bytes) throw tooLarge(bytes, this.#limits.bytes);
  }

  async #makeRoom(owner: string, bytes: number): Promise<void> {
    const own = await this.list(owner);
    const used = own.reduce((sum, upload) => sum + Math.max(upload.bytes, upload.received), 0);
    const total = used + (this.#receiving.get(owner) ?? 0) + bytes;
    if (total > this.#limits.perOwner || own.length >= MOST_UPLOADS)
      throw new MuseTalkError(
        'STORAGE_FULL',
        `your uploads would take ${total} bytes in ${own.length + 1} files`,
        {
          hint: `Delete some; at most ${this.#limits.perOwner} bytes and ${MOST_UPLOADS} files are kept.`,
          facts: { limit: this.#limits.perOwner, used },
        },
      );
    const { bavail, bsize } = await statfs(this.#files.uploads);
    if (bavail * bsize - bytes < this.#limits.free)
      throw new MuseTalkError('CANNOT_WRITE', 'the disk of this service is nearly full', {
        hint: 'Try again later.',
      });
  }
}

/** The files of the tus library; of an upload that could not be begun it would leave the first of its two. */
class TidyStore extends FileStore {
  readonly #files: Files;

  constructor(files: Files) {
    super({ directory: files.uploads });
    this.#files = files;
  }

  override async create(upload: Upload): Promise<Upload> {
    try {
      return await super.create(upload);
    } catch (error) {
      await this.#files.removeUpload(upload.id);
      throw error;
    }
  }
}

/** The tus server, whose own errors are plain words: here they are JSON, as all errors of this service. */
class JsonTus extends TusServer {
  override write(...[context, headers, status, body = '']: Parameters<TusServer['write']>) {
    if (status < 400 || body === '' || body.startsWith('{'))
      return super.write(context, headers, status, body);
    headers.set('content-type', 'application/json; charset=utf-8');
    const error = { code: tusCode(status), message: body.trim() };
    return super.write(context, headers, status, JSON.stringify({ error }));
  }
}

/** When an id was made, in milliseconds. */
export function ageOf(id: string): number {
  return Number.parseInt(id.slice(0, 10), 36);
}

function tooLarge(bytes: number, limit: number): MuseTalkError {
  return new MuseTalkError('TOO_LARGE', `the upload has ${bytes} bytes or more; at most ${limit} are taken`, {
    hint: 'Send a smaller file.',
    facts: { what: 'bytes', bytes, limit },
  });
}

function tusError(error: Error | { status_code: number; body: string }, files: Files) {
  if (error instanceof MuseTalkError) {
    const { code, message, hint } = error;
    const body = JSON.stringify({ error: { code, message: withoutPaths(message, files), hint } });
    return { status_code: ERROR_CODES[code].status, body };
  }
  if ('status_code' in error && error.status_code < 500)
    return { status_code: error.status_code, body: error.body };
  // The connection broke, or the disk failed: what came so far is kept, and the client may go on.
  return { status_code: 503, body: 'the upload was interrupted' };
}

function tusCode(status: number): ErrorCode {
  if (status === 404 || status === 410) return 'NOT_FOUND';
  if (status === 409) return 'CONFLICT';
  if (status === 413) return 'TOO_LARGE';
  return status >= 500 ? 'UNAVAILABLE' : 'BAD_OPTION';
}
