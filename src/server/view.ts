/** A job as its owner is told of it. */
import type { DubPart } from '../dub/split.ts';
import type { DubView, Status } from './protocol.ts';
import type { Job, JobState } from './queue/job.ts';
import type { SegmentPlan } from './request.ts';

/** What the service keeps of a dub beside the job itself. */
export interface DubJobRequest {
  readonly kind: 'dub';
  readonly name: string | undefined;
  readonly settings: Readonly<Record<string, unknown>> & { readonly model: string };
  readonly format: 'mp4' | 'mov' | 'mkv' | 'webm';
  /** Whether boxes lie in the job's folder. */
  readonly boxes: boolean;
  readonly segments: readonly SegmentPlan[];
  /** Sounds that lie in the job's folder. */
  readonly sounds: number;
  /** Uploads that it was made of. */
  readonly uploads: readonly string[];
  readonly warnings: readonly string[];
  readonly batch?: string | undefined;
}

/** What the service keeps of a part of a dub. */
export interface PartJobRequest {
  readonly kind: 'part';
  readonly settings: DubJobRequest['settings'];
  readonly format: DubJobRequest['format'];
  /** Whether the dub has segments with sounds of their own. */
  readonly spoken: boolean;
  /** The folder of the attempt that prepared the dub, in that of the job. */
  readonly plan: string;
  readonly part: DubPart;
}

/** What a dub's runner gives back. */
export interface DubResult {
  /** Name of the video in the attempt's folder. */
  readonly file: string;
  readonly frames: number;
  readonly fps: number;
  readonly duration: number;
  readonly bytes?: number;
  readonly model: string;
  /** The verdict of its report, where there is one. */
  readonly quality?: 'good' | 'faults' | undefined;
  readonly [more: string]: unknown;
}

/** A job of this service. */
export type DubJob = Job<DubJobRequest, DubResult>;
/** A part of one. */
export type PartJob = Job<PartJobRequest>;

const STATUS: Readonly<Record<JobState, Status>> = {
  queued: 'PENDING',
  running: 'PROCESSING',
  split: 'PROCESSING',
  done: 'COMPLETED',
  failed: 'FAILED',
  rejected: 'REJECTED',
  canceled: 'CANCELED',
};

/** The word for a job's state. */
export function statusOf(state: JobState): Status {
  return STATUS[state];
}

/** What `GET /v1/dubs/{id}` answers; with the parts of a dub that was split. */
export function dubView(job: DubJob, position: number | undefined, parts: readonly PartJob[] = []): DubView {
  const { id, request, state, created, started, finished, attempts, warnings, result, error, webhook } = job;
  const url = state === 'done' && result ? `/v1/dubs/${id}/result` : null;
  return {
    ...{ id, object: 'dub', status: STATUS[state], name: request.name ?? null },
    model: result?.model ?? request.settings.model,
    createdAt: iso(created)!,
    startedAt: iso(started),
    finishedAt: iso(finished),
    position: position ?? null,
    attempts,
    progress: progressOf(job, parts),
    warnings: [...new Set([...request.warnings, ...warnings])],
    error: error && state !== 'done' ? { ...error } : null,
    result: url && result ? resultView(result, url) : null,
    outputUrl: url,
    outputDuration: url && result ? result.duration : null,
    webhook: webhook ? { url: webhook.url, state: webhook.state, attempts: webhook.attempts } : null,
    options: request.settings,
  };
}

function progressOf({ state, started, progress }: DubJob, parts: readonly PartJob[]): DubView['progress'] {
  if (state === 'running' && progress) return progressView(progress);
  return state === 'split' ? progressOfParts(parts, started ?? Date.now()) : null;
}

/** How far the parts are together, and how fast those are that are worked on. */
function progressOfParts(parts: readonly PartJob[], started: number): DubView['progress'] {
  let [done, total, fps] = [0, 0, 0];
  for (const { state, progress, request } of parts) {
    const { frames } = request.part;
    total += frames;
    done += state === 'done' ? frames : progress?.stage === 'draw' ? progress.done : 0;
    fps += (progress && state === 'running' && progressView(progress).fps) || 0;
  }
  const remaining = fps > 0 ? (total - done) / fps : null;
  const elapsed = Math.max(0, Date.now() - started) / 1000;
  return { stage: 'draw', done, total, fps: fps > 0 ? fps : null, elapsed, remaining };
}

function progressView({ stage, done, total, elapsed, remaining }: NonNullable<Job['progress']>) {
  const fps = remaining !== undefined && remaining > 0 && total > done ? (total - done) / remaining : null;
  return { stage, done, total, fps, elapsed, remaining: remaining ?? null };
}

function resultView({ file: _, bytes = 0, frames, fps, duration, ...facts }: DubResult, url: string) {
  return { url, bytes, frames, fps, duration, ...facts };
}

function iso(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
