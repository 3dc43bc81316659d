/**
 * The thread in which ONNX Runtime works. Its `run()` blocks, so no session may live on the main thread.
 *
 * Requests come as {@link EngineRequest}, one answer to each as {@link EngineResponse}, in order.
 */
import { parentPort } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';
import type { DType, Tensor } from '../core/tensor.ts';

/** How the engine runs a graph. */
export interface SessionOptions {
  /** Threads within an operator. Default: the number of cores. */
  threads?: number;
  /** ONNX Runtime's execution providers in order of preference. Default `['cpu']`. */
  providers?: readonly string[];
  /** Let idle threads spin while they wait: faster alone, harmful beside other work. Default true. */
  spinning?: boolean;
  /** Refuse a graph that the providers cannot run alone, instead of running the rest on the CPU. Default false. */
  strict?: boolean;
}

/** What the engine says of itself. */
export interface EngineDescription {
  /** ONNX Runtime's version. */
  readonly version: string;
  /** Names of execution providers that this build knows; whether one works here, only a graph can tell. */
  readonly providers: readonly string[];
}

/** What the thread is asked to do. */
export type EngineRequest =
  | { id: number; kind: 'create'; model: Uint8Array | string; options: SessionOptions }
  | { id: number; kind: 'run'; session: number; feeds: Record<string, Tensor> }
  | { id: number; kind: 'release'; session: number }
  | { id: number; kind: 'describe' };

/** What the thread answers, by the number of the request. */
export type EngineResponse =
  | {
      id: number;
      ok: true;
      session?: number;
      results?: Record<string, Tensor>;
      description?: EngineDescription;
    }
  | { id: number; ok: false; message: string };

const sessions = new Map<number, ort.InferenceSession>();
let next = 0;

async function create(model: Uint8Array | string, options: SessionOptions): Promise<number> {
  const { threads, providers = ['cpu'], spinning = true, strict = false } = options;
  const sessionOptions: ort.InferenceSession.SessionOptions = {
    executionProviders: [...providers],
    // A graph on disk points at weights that stay in their file. The last level would copy every convolution's
    // weights into another layout: for the UNet 5.6 seconds of loading and 2.3 GB, for an eighth of its speed.
    graphOptimizationLevel: typeof model === 'string' ? 'extended' : 'all',
    logSeverityLevel: 3,
    extra: {
      session: {
        intra_op: { allow_spinning: spinning ? '1' : '0' },
        ...(strict ? { disable_cpu_ep_fallback: '1' } : {}),
      },
    },
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  };
  const session =
    typeof model === 'string'
      ? await ort.InferenceSession.create(model, sessionOptions)
      : await ort.InferenceSession.create(model, sessionOptions);
  sessions.set(next, session);
  return next++;
}

async function run(session: number, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const inputs: Record<string, ort.Tensor> = {};
  for (const [name, { dtype, data, shape }] of Object.entries(feeds)) {
    inputs[name] = new ort.Tensor(dtype as ort.Tensor.Type, data as ort.Tensor.DataType, shape);
  }
  const results = await sessions.get(session)!.run(inputs);
  return Object.fromEntries(
    Object.entries(results).map(([name, { type, dims, data }]) => [
      name,
      { dtype: type as DType, shape: dims, data } as Tensor,
    ]),
  );
}

function describe(): EngineDescription {
  const version = ort.env.versions.node ?? ort.env.versions.common;
  return { version, providers: ort.listSupportedBackends().map(({ name }) => name) };
}

async function answer(request: EngineRequest): Promise<EngineResponse> {
  const { id } = request;
  switch (request.kind) {
    case 'create':
      return { id, ok: true, session: await create(request.model, request.options) };
    case 'run':
      return { id, ok: true, results: await run(request.session, request.feeds) };
    case 'release':
      await sessions.get(request.session)?.release();
      sessions.delete(request.session);
      return { id, ok: true };
    case 'describe':
      return { id, ok: true, description: describe() };
  }
}

/** The memory of results, which nobody here wants any more. */
function buffersOf(results: Record<string, Tensor> = {}): ArrayBuffer[] {
  return [...new Set(Object.values(results).map(({ data }) => data.buffer as ArrayBuffer))];
}

let last = Promise.resolve();

parentPort?.on('message', (request: EngineRequest) => {
  last = last.then(async () => {
    const response = await answer(request).catch(
      (error: unknown): EngineResponse => ({ id: request.id, ok: false, message: String(error) }),
    );
    parentPort!.postMessage(response, response.ok ? buffersOf(response.results) : []);
  });
});
