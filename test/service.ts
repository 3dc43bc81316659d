/** A service for tests: on a free port, in a folder of its own, with a runner that "draws" by hashing. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServeInput } from '../src/options/serve.ts';
import { type RunningServer, type ServeRun, startServer } from '../src/server/server.ts';
import { children, make, moving, wav, x264 } from './media-fixtures.ts';

export const FRAMES_RUNNER = new URL('./frames-runner.ts', import.meta.url).href;

/** An answer whose fields a test knows. */
// biome-ignore lint/suspicious/noExplicitAny: tests read fields that they expect, and fail without them
export type Json = any;

export interface TestService extends RunningServer {
  readonly folder: string;
  /** Asks the service, as the user of the given token. */
  ask(path: string, init?: RequestInit & { token?: string; duplex?: 'half' }): Promise<Response>;
  /** The JSON of an answer that must have this status. */
  json(status: number, path: string, init?: RequestInit & { token?: string }): Promise<Json>;
  post(status: number, path: string, body: unknown, init?: RequestInit & { token?: string }): Promise<Json>;
  /** Sends bytes in one go; gives the id. */
  upload(bytes: Uint8Array, token?: string): Promise<string>;
  /** Waits until a dub has ended. */
  ended(id: string, token?: string): Promise<Json>;
  /** Every file under the service's folder. */
  traces(): Promise<string[]>;
}

/** Starts one; it is closed and its folder removed after the test. */
export async function testService(
  t: TestContext,
  options: ServeInput = {},
  run: ServeRun = {},
): Promise<TestService> {
  const folder = options.data ?? (await mkdtemp(join(tmpdir(), 'service-')));
  const server = await startServer(
    { port: 0, data: folder, minFree: 0, lease: 5, createRate: 1e6, readRate: 1e6, ...options },
    { runner: FRAMES_RUNNER, retry: { firstDelay: 0.02, longestDelay: 0.1 }, ...run },
  );
  t.after(async () => {
    await server.close();
    if (options.data === undefined) await rm(folder, { recursive: true, force: true });
  });
  return { ...server, folder, ...client(server.url), traces: () => filesUnder(folder) };
}

/** Calls to a service at `url`. */
export function client(url: string) {
  const ask: TestService['ask'] = (path, { token, ...init } = {}) => {
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    return fetch(new URL(path, url), { ...init, headers } as RequestInit);
  };
  const json: TestService['json'] = async (status, path, init) => {
    const answer = await ask(path, init);
    const text = await answer.text();
    if (answer.status !== status)
      throw new Error(`${init?.method ?? 'GET'} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  const post: TestService['post'] = (status, path, body, init = {}) =>
    json(status, path, {
      ...{ method: 'POST', body: JSON.stringify(body), ...init },
      headers: { 'content-type': 'application/json', ...init.headers },
    });
  const upload: TestService['upload'] = async (bytes, token) => {
    const body = new Uint8Array(bytes) as unknown as NonNullable<RequestInit['body']>;
    const { id } = await json(201, '/v1/uploads', {
      method: 'PUT',
      body,
      ...(token !== undefined && { token }),
    });
    return id;
  };
  const ended: TestService['ended'] = async (id, token) => {
    for (;;) {
      const dub = await json(200, `/v1/dubs/${id}`, token === undefined ? {} : { token });
      if (!['PENDING', 'PROCESSING'].includes(dub.status)) return dub;
      await sleep(20);
    }
  };
  return { ask, json, post, upload, ended };
}

/** Every file under a folder, by its path from there. */
export async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Programs of FFmpeg that this process has started and that do not end within seconds, by name. */
export async function childrenLeft(): Promise<string[]> {
  for (let i = 0; i < 500 && children().length > 0; i++) await sleep(20);
  return children();
}

/** A short sound that carries orders for the runner of tests: `frames=3 crash=1`. */
export function spokenWav(orders = ''): Buffer {
  const text = Buffer.from(` ${orders} `.padEnd(3200, ' '), 'latin1');
  return wav(text);
}

let video: Promise<Buffer> | undefined;

/** A video of half a second, made once. */
export function shortVideo(): Promise<Buffer> {
  video ??= (async () => {
    const folder = await mkdtemp(join(tmpdir(), 'service-video-'));
    const path = await make(join(folder, 'v.mp4'), ...moving({ seconds: 0.4 }), ...x264);
    const bytes = await readFile(path);
    await rm(folder, { recursive: true });
    return bytes;
  })();
  return video;
}
