/** The service as the page calls it: the words of the API, and nothing else. */
import { Upload } from 'tus-js-client';
import type { Box, Point } from '../src/core/box.ts';
import type { DubView, EstimateView, UploadView } from '../src/server/protocol.ts';
import { t } from './texts/texts.ts';

export type { DubView, EstimateView, UploadView };

/** What went wrong, with the code of the API. */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;
  readonly hint: string | undefined;

  constructor({ code, message, hint }: { code: string; message: string; hint?: string }, status: number) {
    super(message);
    this.code = code;
    this.status = status;
    this.hint = hint;
  }
}

/** The settings of a dub, as far as they differ from the defaults. */
export type Settings = Readonly<Record<string, string | number | boolean>>;

/** A preview in layers; positions in pixels of the frame. */
export interface PreviewView {
  /** Address of the frame without marks. */
  readonly picture: string;
  readonly faces: number;
  /** Whose way of framing a face is shown. */
  readonly drawnBy: 'mini' | '1.0' | '1.5';
  readonly mask: 'parsing' | 'landmarks';
  readonly range: { readonly lowest: number; readonly highest: number };
  readonly box: Box;
  readonly warnings: readonly string[];
  readonly layers: {
    readonly width: number;
    readonly height: number;
    readonly landmarks: readonly Point[];
    readonly face: Box;
    readonly found: readonly Box[];
    readonly maskAt: Box;
    readonly maskPicture: string;
  };
}

/** A model and its files. */
export interface ModelView {
  readonly id: string;
  readonly what: string;
  readonly ready: boolean;
  readonly missing: readonly string[];
  readonly uses: readonly string[];
  readonly files: readonly {
    readonly path: string;
    readonly network: string;
    readonly state: 'present' | 'other' | 'partial' | 'missing';
    readonly bytes: number;
    readonly size: number;
    readonly licence: string;
    readonly optional: boolean;
  }[];
  readonly pull: {
    readonly state: 'running' | 'failed';
    readonly stage: string | null;
    readonly path: string | null;
    readonly file: number;
    readonly files: number;
    readonly done: number;
    readonly total: number | null;
    readonly error: string | null;
  } | null;
}

interface Inputs {
  readonly video: string;
  readonly sound: string;
  readonly options: Settings;
}

/** Called when the service asks who we are. */
export const gate: { onLocked: () => void } = { onLocked: () => {} };

/** The routes that the page uses. */
export const api = {
  dubs: (before?: string) =>
    call<{ data: DubView[]; next: string | null }>(
      'GET',
      `v1/dubs?limit=24${before === undefined ? '' : `&before=${before}`}`,
    ),
  dub: (id: string) => call<DubView>('GET', `v1/dubs/${id}`),
  start: (body: Inputs & { name: string }, key: string) =>
    call<DubView>('POST', 'v1/dubs', { body, headers: { 'idempotency-key': key } }),
  cancel: (id: string) => call<DubView>('POST', `v1/dubs/${id}/cancel`),
  remove: (id: string) => call<void>('DELETE', `v1/dubs/${id}`),
  report: (id: string) => call<unknown>('GET', `v1/dubs/${id}/report`),
  estimate: (body: Inputs, signal: AbortSignal) =>
    call<EstimateView>('POST', 'v1/estimates', { body, signal }),
  preview: (body: { video: string; time: number; options: Settings }, signal: AbortSignal) =>
    call<PreviewView>('POST', 'v1/previews', { body: { ...body, layers: true }, signal }),
  upload: (id: string) => call<UploadView>('GET', `v1/uploads/${id}`),
  models: () => call<{ data: ModelView[] }>('GET', 'v1/models'),
  pull: (id: string) => call<unknown>('POST', `v1/models/${id}/pull`),
  stopPull: (id: string) => call<void>('DELETE', `v1/models/${id}/pull`),
  description: () => call<Record<string, unknown>>('GET', 'openapi.json'),
  signIn: (token: string) => call<void>('POST', 'v1/session', { body: { token } }),
};

/** The address of a route, wherever the page is served. */
export function addressOf(path: string): string {
  return new URL(path.replace(/^\//, ''), document.baseURI).href;
}

interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

async function call<T>(
  method: string,
  path: string,
  { body, headers, signal }: CallOptions = {},
): Promise<T> {
  const answer = await fetch(addressOf(path), {
    method,
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new ApiError({ code: 'OFFLINE', message: t('error.offline') }, 0);
  });
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as T;
  if (answer.status === 401) gate.onLocked();
  const told = (await answer.json().catch(() => undefined)) as
    | { error: { code: string; message: string; hint?: string } }
    | undefined;
  throw new ApiError(told?.error ?? { code: 'UNKNOWN', message: t('error.unknown') }, answer.status);
}

/** Bytes sent at once; after a break, the rest of a part is sent again. */
const PART = 8 * 2 ** 20;

/** Sends a file by the tus protocol, so that a broken connection costs little. Gives the id of the upload. */
export function sendFile(
  file: Blob,
  name: string,
  { onProgress, signal }: { onProgress: (share: number) => void; signal: AbortSignal },
): Promise<string> {
  return new Promise((done, fail) => {
    const upload = new Upload(file as File, {
      endpoint: addressOf('v1/uploads'),
      chunkSize: PART,
      retryDelays: [0, 500, 2000, 5000, 10_000],
      metadata: { filename: name },
      storeFingerprintForResuming: file instanceof File,
      removeFingerprintOnSuccess: true,
      onProgress: (sent, total) => onProgress(total > 0 ? sent / total : 0),
      onSuccess: () => done(upload.url!.split('/').at(-1)!),
      onError: (error) => fail(asApiError(error)),
    });
    signal.addEventListener('abort', () => void upload.abort(true).finally(() => fail(signal.reason)));
    void upload.findPreviousUploads().then(([last]) => {
      if (last) upload.resumeFromPreviousUpload(last);
      if (!signal.aborted) upload.start();
    });
  });
}

function asApiError(error: Error): ApiError {
  const answer = (error as { originalResponse?: { getStatus(): number; getBody(): string } | null })
    .originalResponse;
  const status = answer?.getStatus() ?? 0;
  if (status === 401) gate.onLocked();
  if (status === 0) return new ApiError({ code: 'OFFLINE', message: t('error.offline') }, 0);
  const body = answer!.getBody();
  try {
    const { error } = JSON.parse(body) as { error: { code: string; message: string; hint?: string } };
    return new ApiError(error, status);
  } catch {
    return new ApiError({ code: 'UNKNOWN', message: body.trim() || t('error.unknown') }, status);
  }
}

/** Follows a dub until it has ended; gives what ends the following. */
export function follow(id: string, onChange: (dub: DubView) => void, onRemoved: () => void): () => void {
  const events = new EventSource(addressOf(`v1/dubs/${id}/events`));
  const tell = ({ data }: MessageEvent<string>) => onChange(JSON.parse(data) as DubView);
  events.addEventListener('status', tell);
  events.addEventListener('progress', tell);
  events.addEventListener('end', (event) => {
    tell(event);
    events.close();
  });
  events.addEventListener('removed', () => {
    events.close();
    onRemoved();
  });
  return () => events.close();
}
