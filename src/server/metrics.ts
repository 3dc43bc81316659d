/** Numbers of the service in the form that Prometheus reads. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { FINAL, type Job } from './queue/job.ts';
import type { Queue } from './queue/queue.ts';

/** Counts requests and jobs, and remembers how fast models were. */
export class Metrics {
  readonly registry = new Registry();
  readonly #requests: Histogram<'method' | 'route' | 'status'>;
  readonly #jobs: Counter<'state'>;
  readonly #seconds: Histogram<'model'>;
  readonly #frames: Counter<'model'>;
  readonly #lost: Counter;
  readonly #attempts = new Map<string, number>();
  readonly #unwatch: () => void;
  /** Frames a second of each model, as recent jobs had them. */
  readonly #speed = new Map<string, number>();

  constructor(queue: Queue, gauges: Readonly<Record<string, readonly [help: string, read: () => number]>>) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#requests = new Histogram({
      ...{ name: 'musetalk_http_seconds', help: 'Time to answer requests', registers },
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    });
    this.#jobs = new Counter({
      name: 'musetalk_jobs_total',
      help: 'Jobs that ended',
      labelNames: ['state'],
      registers,
    });
    this.#seconds = new Histogram({
      ...{
        name: 'musetalk_job_seconds',
        help: 'Time from start to end of jobs',
        labelNames: ['model'],
        registers,
      },
      buckets: [0.1, 1, 5, 20, 60, 300, 1200, 3600],
    });
    this.#frames = new Counter({
      name: 'musetalk_frames_total',
      help: 'Frames drawn',
      labelNames: ['model'],
      registers,
    });
    this.#lost = new Counter({
      name: 'musetalk_failed_attempts_total',
      help: 'Attempts at jobs that failed',
      registers,
    });
    for (const state of ['queued', 'running'] as const)
      new Gauge({
        ...{ name: `musetalk_jobs_${state}`, help: `Jobs that are ${state}`, registers },
        async collect() {
          this.set((await queue.counts())[state]);
        },
      });
    for (const [name, [help, read]] of Object.entries(gauges))
      new Gauge({
        ...{ name: `musetalk_${name}`, help, registers },
        collect() {
          this.set(read());
        },
      });
    this.#unwatch = queue.watch(({ id, job }) => (job ? this.#hear(job) : this.#attempts.delete(id)));
  }

  /** Counts a request. */
  answered(method: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ method, route, status: String(status) }, seconds);
  }

  /** Frames a second that jobs with this model had of late, from start to end. */
  speedOf(model: string): number | undefined {
    return this.#speed.get(model);
  }

  #hear(job: Job): void {
    const before = this.#attempts.get(job.id) ?? 0;
    if (job.attempts > before) this.#lost.inc(job.attempts - before);
    this.#attempts.set(job.id, job.attempts);
    if (!FINAL.has(job.state) || job.webhook?.attempts) return;
    this.#attempts.delete(job.id);
    this.#jobs.inc({ state: job.state });
    const { frames, model } = (job.result ?? {}) as { frames?: number; model?: string };
    if (job.state !== 'done' || frames === undefined || model === undefined) return;
    const seconds = Math.max(0.001, (job.finished! - job.started!) / 1000);
    this.#seconds.observe({ model }, seconds);
    this.#frames.inc({ model }, frames);
    const speed = frames / seconds;
    this.#speed.set(model, 0.7 * (this.#speed.get(model) ?? speed) + 0.3 * speed);
  }

  close(): void {
    this.#unwatch();
    this.registry.clear();
  }
}
