// Times whole dubs, file to file, each in a process of its own: the first start, with an empty cache, and the second.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTool } from '../src/media/tools.ts';
import { modelsFolder } from '../src/nn/folders.ts';
import type { DubInput } from '../src/options/dub.ts';
import { fixturePath } from '../test/shared.ts';
import { ROOT } from '../test/sources.ts';
import type { DubFigures } from './dub-run.ts';

/** The figures of one dub, and which it was. */
export interface DubTimes extends DubFigures {
  readonly name: string;
}

const DEMO = join(ROOT, 'assets', 'demo');

/** Times dubs of the demo's portrait, still and moving, by each model that is there. */
export async function* timeDubs({ smoke = false, threads = undefined as number | undefined } = {}) {
  const root = mkdtempSync(join(tmpdir(), 'musetalk-bench-'));
  try {
    const ffmpeg = (await findTool('ffmpeg')).path;
    const sound = join(root, 'speech.wav');
    run(ffmpeg, ['-i', join(DEMO, 'speech.flac'), ...(smoke ? ['-t', '0.4'] : []), sound]);
    const moving = join(root, 'moving.mp4');
    const path = 'scale=720:720,crop=640:480:40+30*sin(t):60+20*cos(1.3*t)';
    if (!smoke) {
      const picture = ['-loop', '1', '-r', '25', '-t', '10', '-i', join(DEMO, 'portrait.png')];
      run(ffmpeg, [...picture, '-vf', path, '-pix_fmt', 'yuv420p', moving]);
    }
    const videos = {
      'portrait 512 × 512': join(DEMO, 'portrait.png'),
      ...(smoke ? {} : { 'video 640 × 480': moving }),
    };
    for (const [model, settings] of Object.entries(modelsHere(smoke))) {
      for (const [name, video] of Object.entries(videos)) {
        const cache = join(root, 'cache');
        for (const start of smoke ? ['first'] : ['first', 'second']) {
          const options = {
            video,
            sound,
            output: join(root, 'out.mp4'),
            overwrite: true,
            ...settings,
            threads,
          };
          yield {
            name: `${model}, ${name}, ${start} start`,
            ...figuresOf(options, cache),
          } satisfies DubTimes;
        }
        rmSync(cache, { recursive: true, force: true });
      }
    }
  } finally {
    rmSync(root, { recursive: true });
  }
}

function modelsHere(smoke: boolean): Record<string, Partial<DubInput>> {
  const tiny = { model: 'musetalk-1.5', models: fixturePath('dub', 'models') };
  if (smoke) return { 'tiny networks': tiny };
  return {
    'tiny networks': tiny,
    ...(existsSync(join(ROOT, 'assets', 'mini')) && { mini: { model: 'mini' } }),
    ...(existsSync(join(modelsFolder(), 'musetalkV15')) && { 'musetalk-1.5': { model: 'musetalk-1.5' } }),
  };
}

function figuresOf(options: DubInput, cache: string): DubFigures {
  const program = join(ROOT, 'bench', 'dub-run.ts');
  const text = execFileSync(process.execPath, ['--import', 'tsx', program, JSON.stringify(options)], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, MUSETALK_CACHE: cache },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(text) as DubFigures;
}

function run(program: string, args: readonly string[]): void {
  execFileSync(program, ['-v', 'error', '-nostdin', '-y', ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}
