// One dub in a process of its own, so that its start and its memory are its own: options as JSON in, figures as JSON out.
// Run by bench/dubs.bench.ts and bench/mini.bench.ts, which may name another build of the program.
import { readdirSync, readFileSync } from 'node:fs';
import type { DubInput } from '../src/options/dub.ts';

/** What was measured of one dub. Seconds are counted from where the program begins to be loaded. */
export interface DubFigures {
  readonly frames: number;
  readonly seconds: number;
  readonly firstFrame: number;
  /** Seconds of each stage. */
  readonly stages: Readonly<Record<string, number>>;
  /** Seconds of processors that each stage took, FFmpeg included, and those before the first; only on Linux. */
  readonly processor: Readonly<Record<string, number>>;
  /** The process at its highest, FFmpeg not counted, in MB. */
  readonly memory: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as DubInput;
const processor: Record<string, number> = {};
let firstFrame = Number.NaN;
let stage = 'start';
let spent = processorTime();
const begin = performance.now();

const { dub } = (await import(process.argv[3] ?? '../src/dub/dub.ts')) as typeof import('../src/dub/dub.ts');
const report = await dub(options, {
  onProgress: (progress) => {
    if (progress.stage === 'draw' && progress.done > 0 && Number.isNaN(firstFrame))
      firstFrame = (performance.now() - begin) / 1000;
    if (progress.stage !== stage) endStage(progress.stage);
  },
});
endStage('end');
const figures: DubFigures = {
  frames: report.frameCount,
  seconds: (performance.now() - begin) / 1000,
  firstFrame,
  stages: report.seconds,
  processor,
  memory: process.resourceUsage().maxRSS / 1024,
};
console.log(JSON.stringify(figures));

function endStage(next: string): void {
  const now = processorTime();
  processor[stage] = (processor[stage] ?? 0) + now - spent;
  [stage, spent] = [next, now];
}

/** Seconds of processors of this process and of all that it started; those of this process alone where that is not told. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  const own = (user + system) / 1e6;
  if (process.platform !== 'linux') return own;
  const [, , ended] = timesOf('self');
  return own + ended + childrenOf().reduce((sum, pid) => sum + timesOf(pid)[0], 0);
}

function childrenOf(): string[] {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    try {
      const text = readFileSync(`/proc/self/task/${thread}/children`, 'utf8');
      return text.split(' ').filter((pid) => pid.trim() !== '');
    } catch {
      return []; // the thread has ended meanwhile, or the kernel does not tell
    }
  });
}

/** Seconds of a process with its ended children, its own, and those of its ended children. */
function timesOf(pid: string): [all: number, own: number, children: number] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const own = (fields[11]! + fields[12]!) / 100;
    const children = (fields[13]! + fields[14]!) / 100;
    return [own + children, own, children];
  } catch {
    return [0, 0, 0]; // it has ended meanwhile, and counts from now on as ended
  }
}
