import type { Worker } from 'node:worker_threads';
import { MuseTalkError } from '../core/errors.ts';

/** A request by its number, and the answer to it. */
export type Call<Request> = { readonly id: number; readonly request: Request };

/** What comes back for a call, by its number. */
export type Answer<Result> =
  | { readonly id: number; readonly result: Result }
  | { readonly id: number; readonly message: string };

interface Waiting<Result> {
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/** Calls into a thread that answers each with a result or a message of failure. */
export class WorkerCalls<Request, Result> {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting<Result>>();
  #next = 0;
  #ended: MuseTalkError | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.unref();
    worker.on('message', (answer: Answer<Result>) => this.#settle(answer));
    worker.on('error', (cause) => this.#fail(new MuseTalkError('ENGINE', 'the engine stopped', { cause })));
    worker.on('exit', () => this.#fail(new MuseTalkError('ENGINE', 'the engine ended')));
  }

  /** @throws MuseTalkError ENGINE when the thread fails. */
  call(request: Request): Promise<Result> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      // An idle thread must not keep the process alive, a busy one must.
      if (this.#waiting.size === 0) this.#worker.ref();
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, request } satisfies Call<Request>);
    });
  }

  /** Ends the thread; whatever is waiting is rejected. */
  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(answer: Answer<Result>): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ('result' in answer) waiting?.resolve(answer.result);
    else waiting?.reject(new MuseTalkError('ENGINE', `ONNX Runtime failed: ${answer.message}`));
  }

  #fail(error: MuseTalkError): void {
    this.#ended = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
