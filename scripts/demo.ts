// Makes out/demo.mp4: the bundled portrait says the bundled speech. It runs the command line as anybody would.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../test/sources.ts';

const dub = [
  'dub',
  'assets/demo/portrait.png',
  'assets/demo/speech.flac',
  '-o',
  'out/demo.mp4',
  '-y',
  '--model',
  'mini',
];

mkdirSync(join(ROOT, 'out'), { recursive: true });
console.log(`npm run dev -- ${dub.join(' ')}\n`);
const { status } = spawnSync(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...dub], {
  cwd: ROOT,
  stdio: ['ignore', 'inherit', 'inherit'],
});
process.exitCode = status ?? 1;
