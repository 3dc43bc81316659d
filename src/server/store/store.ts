import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Files } from '../files.ts';
import { FolderStore } from './folder-store.ts';

/** A file of a job for an answer: on this machine's disk, or on its way from elsewhere, perhaps only the part asked for. */
export type StoredFile =
  | { readonly folder: string; readonly name: string }
  | {
      /** 200, 206, 304 or 416. */
      readonly status: number;
      /** Those that describe the content. */
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Readable | undefined;
    };

/** What of a file is asked for. */
export interface FileRequest {
  readonly method: string;
  /** Of them `Range` and the conditional ones count. */
  readonly headers: IncomingHttpHeaders;
}

/** What is brought beside what belongs to the job as a whole. */
export interface LoadOptions {
  /** What the newest attempt at the whole job saved. */
  readonly whole?: boolean;
  /** What the newest attempts at its parts saved, of which there are so many. */
  readonly parts?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Where inputs and results of jobs lie, for all machines that work on them. Files are named within their job: `video`
 * and `log.txt` belong to it as a whole, `work-3/result.mp4` to one attempt, `part-0-1/…` to one at a part.
 *
 * Work itself is done in a folder on a disk of the machine at hand. Where the store is that folder, saving and loading
 * do nothing.
 */
export interface Store {
  /** Keeps files that lie in the job's folder on this machine. @throws MuseTalkError UNAVAILABLE, CANNOT_WRITE. */
  save(job: string, names: readonly string[], signal?: AbortSignal): Promise<void>;
  /**
   * Brings what belongs to a job as a whole, and is not here yet, into its folder.
   *
   * @throws MuseTalkError UNAVAILABLE.
   */
  load(job: string, options?: LoadOptions): Promise<void>;
  /** The job's folder on this machine is needed no more. */
  release(job: string): Promise<void>;
  /** A file, or the part of it that is asked for; undefined where there is none. */
  file(job: string, name: string, request: FileRequest): Promise<StoredFile | undefined>;
  /** All bytes of a small file, or the first `most` of a large one; undefined where there is none. */
  bytes(job: string, name: string, most?: number): Promise<Buffer | undefined>;
  /** Removes a job, here and wherever it is kept. */
  remove(job: string): Promise<void>;
  /** Removes what attempts saved: one of them, or all but one. */
  forget(job: string, attempts: { readonly only: string } | { readonly allBut: string }): Promise<void>;
  /** Ids of all jobs of which something is kept. */
  jobs(): AsyncIterable<string>;
  /** Whether it answers. */
  healthy(): Promise<boolean>;
}

/** What the options say of it. */
export interface StoreOptions {
  /** `folder`, or `s3://bucket/prefix`. */
  readonly store: string;
  readonly storeEndpoint?: string | undefined;
  readonly storeRegion?: string | undefined;
}

/**
 * The store that the options name.
 *
 * @throws MuseTalkError BAD_OPTION when the environment holds no keys for it; UNAVAILABLE when it does not answer.
 */
export async function openStore(files: Files, options: StoreOptions): Promise<Store> {
  if (options.store === 'folder') return new FolderStore(files);
  const { S3Store } = await import('./s3-store.ts');
  return S3Store.open(files, options);
}
