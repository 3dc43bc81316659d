/**
 * A runner for tests of the page while the model mini is not there: previews are the real ones, a dub stretches the
 * mouth of the source up and down as fast as speech does. Its report is one of the shape that the service writes.
 */
import { execFile } from 'node:child_process';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { preview } from '../src/dub/preview.ts';
import { openVideo } from '../src/media/open-video.ts';
import { toNumber } from '../src/media/rate.ts';
import { readSound } from '../src/media/read-sound.ts';
import { findTool } from '../src/media/tools.ts';
import { checkOptions } from '../src/options/check.ts';
import { previewSettings } from '../src/options/preview.ts';
import { runJob as runReal } from '../src/server/work/dub-worker.ts';
import type { JobRun } from '../src/server/work/runner.ts';

/** Runs what the request asks for. */
export async function runJob(run: JobRun): Promise<unknown> {
  const { kind } = run.request as { kind: string };
  return kind === 'preview' ? runReal(run) : standIn(run);
}

async function standIn({ folder, work, request, signal, onProgress }: JobRun): Promise<unknown> {
  const { settings } = request as { settings: { face?: string } };
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  onProgress({ stage: 'open', done: 0, total: 0, elapsed: elapsed() });
  const video = await openVideo(join(folder, 'video'), { signal });
  const { duration: seconds } = await readSound(join(folder, 'sound'), { signal });
  onProgress({ stage: 'faces', done: 0, total: 0, elapsed: elapsed() });
  const { box } = await preview(join(folder, 'video'), checkOptions(previewSettings, pick(settings)), {
    signal,
  });
  const fps = toNumber(video.fps);
  const frames = Math.max(1, Math.round(seconds * fps));
  for (let done = 1; done <= frames; done += 5) {
    await sleep(40, undefined, { signal });
    onProgress({ stage: 'draw', done, total: frames, elapsed: elapsed(), remaining: (frames - done) / 125 });
  }
  onProgress({ stage: 'write', done: frames, total: frames, elapsed: elapsed() });
  await stretch({ folder, work, box, seconds, signal });
  await writeFile(join(work, 'report.json'), JSON.stringify(reportOf(seconds)));
  const { size: bytes } = await stat(join(work, 'result.mp4'));
  return {
    ...{ file: 'result.mp4', frames, duration: frames / fps, fps, bytes, model: 'stand-in' },
    ...{ sourceFrames: Math.min(video.frameCount, frames) },
  };
}

function pick({ face }: { face?: string }) {
  return face === undefined ? {} : { face };
}

interface Stretch {
  readonly folder: string;
  readonly work: string;
  readonly box: { readonly x1: number; readonly y1: number; readonly x2: number; readonly y2: number };
  readonly seconds: number;
  readonly signal: AbortSignal;
}

/** The video to and fro as the default has it, with the mouth pulled down in the rhythm of syllables. */
async function stretch({ folder, work, box, seconds, signal }: Stretch): Promise<void> {
  const even = (value: number) => 2 * Math.round(value / 2);
  const [wide, tall] = [box.x2 - box.x1, box.y2 - box.y1];
  const [w, h] = [even(wide * 0.52), even(tall * 0.2)];
  const [x, y] = [even(box.x1 + wide * 0.24), even(box.y1 + tall * 0.68)];
  const open = `1.06+0.22*abs(sin(2*PI*t*2.6))*abs(sin(2*PI*t*0.7))`;
  const filter = [
    '[0:v]split[a][b];[b]reverse[r];[a][r]concat,loop=loop=-1:size=30000,setpts=N/25/TB,split[whole][part]',
    `[part]crop=${w}:${h}:${x}:${y},scale=w=${w}:h='trunc(${h}*(${open})/2)*2':eval=frame[mouth]`,
    `[whole][mouth]overlay=${x}:${y}:eval=init,trim=duration=${seconds}[v]`,
  ].join(';');
  const { path } = await findTool('ffmpeg');
  const inputs = ['-i', join(folder, 'video'), '-i', join(folder, 'sound')];
  const encode = [
    '-c:v',
    'libx264',
    '-preset',
    'veryfast',
    '-pix_fmt',
    'yuv420p',
    '-c:a',
    'aac',
    '-t',
    String(seconds),
  ];
  await promisify(execFile)(
    path,
    [
      ...['-hide_banner', '-v', 'error', '-nostdin', '-y', ...inputs, '-filter_complex', filter],
      ...['-map', '[v]', '-map', '1:a', ...encode, '-movflags', '+faststart', join(work, 'result.mp4')],
    ],
    { signal },
  );
}

function reportOf(seconds: number) {
  const windows = Array.from({ length: Math.floor(seconds) * 2 }, (_, i) => ({
    ...{ start: i / 2, end: i / 2 + 0.5 },
    offset: [0.01, 0, -0.02, 0.015, 0.03, 0.09, 0.08, 0.02][i % 8]!,
    confidence: [0.8, 0.9, 0.7, 0.8, 0.5, 0.9, 0.8, 0.6][i % 8]!,
  }));
  return { format: 1, verdict: 'good', findings: [], measures: { sync: { windows } } };
}
