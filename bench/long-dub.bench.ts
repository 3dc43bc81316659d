/**
 * Whether memory stays flat while videos grow: dubs a made-up video of each given number of seconds with the tiny
 * networks of the tests, and prints the memory of this process along the way.
 *
 *     node --expose-gc --import tsx bench/long-dub.bench.ts 30 300
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { dub } from '../src/dub/dub.ts';
import { openLipModel } from '../src/lips/open-model.ts';
import { findTool } from '../src/media/tools.ts';
import { checkOptions } from '../src/options/check.ts';
import { dubSettings } from '../src/options/dub.ts';
import { plainModel } from '../test/plain-model.ts';
import { fixturePath } from '../test/shared.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string', default: '640x360' },
    /** Draw without networks, to see the rest alone. */
    plain: { type: 'boolean', default: false },
  },
});

const MB = 2 ** 20;
const root = mkdtempSync(join(tmpdir(), 'long-dub-'));
const settings = checkOptions(dubSettings, { models: fixturePath('dub', 'models'), model: 'musetalk-1.5' });
const model = values.plain
  ? plainModel()
  : await openLipModel(settings, { cacheFolder: join(root, 'cache') });
try {
  for (const seconds of positionals.map(Number)) await measure(seconds);
} finally {
  await model.close();
  rmSync(root, { recursive: true });
}

async function measure(seconds: number): Promise<void> {
  const ffmpeg = (await findTool('ffmpeg')).path;
  const [video, sound, coords] = ['video.mp4', 'sound.wav', 'coords.json'].map((name) =>
    join(root, name),
  ) as [string, string, string];
  const quiet = ['-v', 'error', '-y', '-f', 'lavfi', '-i'];
  execFileSync(ffmpeg, [
    ...quiet,
    `testsrc2=s=${values.size}:r=25:d=${seconds}`,
    '-preset',
    'ultrafast',
    '-pix_fmt',
    'yuv420p',
    video,
  ]);
  execFileSync(ffmpeg, [...quiet, `sine=f=300:r=16000:d=${seconds}`, sound]);
  writeFileSync(coords, JSON.stringify(Array(25 * seconds).fill([100, 60, 300, 300])));

  const seen: number[] = [];
  const started = performance.now();
  let last = 0;
  const report = await dub(
    { video, sound, coords, output: join(root, 'out.mp4'), overwrite: true, preset: 'ultrafast' },
    {
      model,
      onProgress: ({ stage, done }) => {
        if (done - last < 100 && done >= last) return;
        last = done;
        globalThis.gc?.();
        if (stage === 'draw') seen.push(process.memoryUsage().rss / MB);
      },
    },
  );
  const quarter = Math.max(1, Math.floor(seen.length / 4));
  const mean = (numbers: number[]) => numbers.reduce((sum, n) => sum + n, 0) / numbers.length;
  console.log(
    `${seconds} s, ${report.frameCount} frames in ${((performance.now() - started) / 1000).toFixed(1)} s: ` +
      `memory at most ${Math.max(...seen).toFixed(0)} MB, first quarter ${mean(seen.slice(0, quarter)).toFixed(0)} MB, ` +
      `last quarter ${mean(seen.slice(-quarter)).toFixed(0)} MB`,
  );
}
