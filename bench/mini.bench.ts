// Times mini from files to file: frames a second, and the processor time of each stage, FFmpeg included, which says
// what two idle processors could do at best even where the machine is busy with other things.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTool } from '../src/media/tools.ts';
import { sharedPath } from '../test/shared.ts';
import { ROOT, sourcesUnder } from '../test/sources.ts';
import type { DubFigures } from './dub-run.ts';

/** The figures of one dub by mini, and which it was. */
export interface MiniTimes extends DubFigures {
  readonly name: string;
}

const DEMO = join(ROOT, 'assets', 'demo');

/** Times dubs of eleven seconds: a face in a video of two sizes, and a picture. `smoke`: a second of one of them. */
export async function* timeMini({ smoke = false } = {}): AsyncGenerator<MiniTimes> {
  const root = mkdtempSync(join(tmpdir(), 'musetalk-bench-'));
  try {
    const ffmpeg = (await findTool('ffmpeg')).path;
    const run = (args: readonly string[]) =>
      execFileSync(ffmpeg, ['-v', 'error', '-nostdin', '-y', ...args], {
        stdio: ['ignore', 'inherit', 'inherit'],
      });
    const seconds = smoke ? '1' : '11';
    const sound = join(root, 'speech.wav');
    run(['-i', join(DEMO, 'speech.flac'), '-t', seconds, sound]);
    const clip = (width: number, height: number) => {
      const path = join(root, `${width}.mp4`);
      const pixels = ['-pix_fmt', 'yuv420p', '-crf', '18', '-r', '25', '-t', seconds, '-an', path];
      run([...faceVideo(root, width, height), ...pixels]);
      return path;
    };
    const videos: Record<string, () => string> = smoke
      ? { 'picture 512 × 512': () => join(DEMO, 'portrait.png') }
      : {
          'video 640 × 480': () => clip(640, 480),
          'video 1280 × 720': () => clip(1280, 720),
          'picture 512 × 512': () => join(DEMO, 'portrait.png'),
        };
    for (const [name, video] of Object.entries(videos)) {
      const options = {
        video: video(),
        sound,
        output: join(root, 'out.mp4'),
        overwrite: true,
        model: 'mini',
      };
      yield { name: isBuilt() ? name : `${name}, from source`, ...figuresOf(options) };
    }
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** FFmpeg's arguments for a video of a face: sentences of GRID where they are, else the demo's portrait, moving. */
function faceVideo(root: string, width: number, height: number): string[] {
  const grid = sharedPath('data', 'clips', 'grid', 's1');
  const clips = grid ? readdirSync(grid).sort().slice(0, 4) : [];
  if (clips.length === 4) {
    const list = join(root, 'clips.txt');
    writeFileSync(list, clips.map((name) => `file '${join(grid!, name)}'\n`).join(''));
    return ['-f', 'concat', '-safe', '0', '-i', list, '-vf', `scale=${width}:${height}`];
  }
  const side = 1.125 * width;
  const path = `scale=${side}:${side},crop=${width}:${height}:40+30*sin(t):60+20*cos(1.3*t)`;
  return ['-loop', '1', '-r', '25', '-i', join(DEMO, 'portrait.png'), '-vf', path];
}

/** A dub by the program as it ships, if that is built and no older than its sources, else by these. */
function figuresOf(options: object): DubFigures {
  const program = join(ROOT, isBuilt() ? 'dist/dub/dub.js' : 'src/dub/dub.ts');
  const args = ['--import', 'tsx', join(ROOT, 'bench', 'dub-run.ts'), JSON.stringify(options), program];
  const text = execFileSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(text) as DubFigures;
}

function isBuilt(): boolean {
  const built = statSync(join(ROOT, 'dist', 'dub', 'dub.js'), { throwIfNoEntry: false });
  if (built === undefined) return false;
  return sourcesUnder('src').every((file) => statSync(join(ROOT, file)).mtimeMs <= built.mtimeMs);
}
