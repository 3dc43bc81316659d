// One dub in a process of its own, so that its start and its memory are its own: options as JSON in, figures as JSON out.
// Run by bench/dubs.bench.ts.
import { dub } from '../src/dub/dub.ts';
import type { DubInput } from '../src/options/dub.ts';

/** What was measured of one dub. Seconds are counted from the start of the process. */
export interface DubFigures {
  readonly frames: number;
  readonly seconds: number;
  readonly firstFrame: number;
  /** Seconds of each stage. */
  readonly stages: Readonly<Record<string, number>>;
  /** The process at its highest, FFmpeg not counted, in MB. */
  readonly memory: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as DubInput;
let firstFrame = Number.NaN;
const report = await dub(options, {
  onProgress: ({ stage, done }) => {
    if (stage === 'draw' && done > 0 && Number.isNaN(firstFrame)) firstFrame = performance.now() / 1000;
  },
});
const figures: DubFigures = {
  frames: report.frameCount,
  seconds: performance.now() / 1000,
  firstFrame,
  stages: report.seconds,
  memory: process.resourceUsage().maxRSS / 1024,
};
console.log(JSON.stringify(figures));
