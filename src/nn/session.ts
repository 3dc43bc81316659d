/**
 * Runs graphs. An {@link Engine} is a thread with ONNX Runtime in it; a {@link Session} is a graph that was
 * loaded there. This file and its worker are the only places that know the engine.
 */
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { MuseTalkError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { storeGraph } from './graph-cache.ts';
import type { OnnxModel } from './onnx-writer.ts';
import type { EngineDescription, EngineRequest, EngineResponse, SessionOptions } from './session-worker.ts';
import type { Value } from './value.ts';
import { showShape } from './value.ts';
import { startWorker } from './worker-thread.ts';

export type { EngineDescription, SessionOptions } from './session-worker.ts';

type Feeds = Readonly<Record<string, Tensor>>;
type Results = Record<string, Tensor>;

/** A graph that is ready to run. */
export interface Session {
  readonly inputs: OnnxModel['inputs'];
  readonly outputs: OnnxModel['outputs'];
  /**
   * Runs the graph. An abort rejects at once with the signal's reason; the engine finishes the run unheard.
   *
   * @throws MuseTalkError GRAPH when an input is missing or misshapen, ENGINE when the engine fails.
   */
  run(feeds: Feeds, options?: { signal?: AbortSignal | undefined }): Promise<Results>;
  /** Frees the engine's memory. A closed session must not be run. */
  close(): Promise<void>;
}

/** How a graph is loaded. */
export interface LoadOptions extends SessionOptions {
  /** Folder for graphs whose weights stay in their files. Needed only for such graphs. */
  cacheFolder?: string | undefined;
}

type Ports = Pick<OnnxModel, 'inputs' | 'outputs'>;

interface Waiting {
  resolve(response: EngineResponse & { ok: true }): void;
  reject(error: unknown): void;
}

/** A thread that runs graphs, one call after the other. It does not keep the process alive while idle. */
export class Engine {
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  /** Called when nothing is waiting any more. */
  #idle: (() => void) | undefined;

  /**
   * Loads the graph behind `outputs`.
   *
   * @throws MuseTalkError ENGINE when ONNX Runtime refuses it.
   */
  async load(outputs: Readonly<Record<string, Value>>, options: LoadOptions = {}): Promise<Session> {
    const { cacheFolder, threads = availableParallelism(), ...rest } = options;
    const { model, path } = await storeGraph(outputs, cacheFolder);
    // The graph moves into the thread: copies that stay here for as long as the session make the collector of
    // garbage, which counts them, run all the time.
    const ports: Ports = { inputs: model.inputs, outputs: model.outputs };
    const created = await this.#request(
      { kind: 'create', model: path ?? model.bytes, options: { threads, ...rest } },
      path === undefined ? [model.bytes.buffer as ArrayBuffer] : [],
    );
    const session = created.session!;
    return {
      ...ports,
      run: (feeds, { signal } = {}) => this.#run(session, ports, feeds, signal),
      close: async () => {
        await this.#request({ kind: 'release', session });
      },
    };
  }

  /** Version and known providers of the engine. */
  async describe(): Promise<EngineDescription> {
    return (await this.#request({ kind: 'describe' })).description!;
  }

  /**
   * Ends the thread, once what runs in it has ended: native code cannot be stopped half-way, and ending its thread
   * under it would end the whole process.
   */
  async close(): Promise<void> {
    if (this.#waiting.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    await this.#worker?.terminate();
    this.#fail(new MuseTalkError('ENGINE', 'the engine was closed'));
  }

  async #run(session: number, ports: Ports, feeds: Feeds, signal?: AbortSignal): Promise<Results> {
    signal?.throwIfAborted();
    checkFeeds(ports, feeds);
    const request = this.#request({ kind: 'run', session, feeds });
    if (!signal) return (await request).results!;
    return await new Promise<Results>((resolve, reject) => {
      const abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      request
        .then(({ results }) => resolve(results!), reject)
        .finally(() => signal.removeEventListener('abort', abort));
    });
  }

  /** Asks the thread; what is in `moved` is gone here afterwards. */
  #request(
    request: DistributiveOmit<EngineRequest, 'id'>,
    moved: readonly ArrayBuffer[] = [],
  ): Promise<EngineResponse & { ok: true }> {
    const worker = this.#start();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) worker.ref();
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ ...request, id }, moved);
    });
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const worker = startWorker('./session-worker', import.meta.url);
    worker.unref();
    worker.on('message', (response: EngineResponse) => this.#settle(worker, response));
    worker.on('error', (cause) => this.#fail(new MuseTalkError('ENGINE', 'the engine stopped', { cause })));
    worker.on('exit', () => {
      this.#worker = undefined;
      this.#fail(new MuseTalkError('ENGINE', 'the engine ended'));
    });
    this.#worker = worker;
    return worker;
  }

  #settle(worker: Worker, response: EngineResponse): void {
    const waiting = this.#waiting.get(response.id);
    this.#waiting.delete(response.id);
    if (this.#waiting.size === 0) {
      worker.unref();
      this.#idle?.();
    }
    if (response.ok) waiting?.resolve(response);
    else waiting?.reject(new MuseTalkError('ENGINE', `ONNX Runtime failed: ${response.message}`));
  }

  #fail(error: MuseTalkError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#idle?.();
  }
}

type DistributiveOmit<T, K extends keyof T> = T extends unknown ? Omit<T, K> : never;

/** Loads a graph in an engine of its own, which ends with the session. For tests and single runs. */
export async function loadGraph(
  outputs: Readonly<Record<string, Value>>,
  options: LoadOptions = {},
): Promise<Session> {
  const engine = new Engine();
  const session = await engine.load(outputs, options);
  return {
    ...session,
    close: () => engine.close(),
  };
}

/** Builds, runs once and forgets: what tests of a graph need. */
export async function runGraph(outputs: Readonly<Record<string, Value>>, feeds: Feeds): Promise<Results> {
  const session = await loadGraph(outputs);
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

function checkFeeds({ inputs }: Ports, feeds: Feeds): void {
  for (const [name, port] of inputs) {
    const fed = feeds[name];
    const fits =
      fed &&
      fed.dtype === port.dtype &&
      fed.shape.length === port.shape.length &&
      port.shape.every((dim, i) => typeof dim === 'string' || dim === fed.shape[i]);
    if (fits) continue;
    const found = fed ? `${fed.dtype} [${fed.shape.join(', ')}]` : 'nothing';
    throw new MuseTalkError(
      'GRAPH',
      `the input ${name} wants ${port.dtype} ${showShape(port.shape)} and got ${found}`,
    );
  }
}
