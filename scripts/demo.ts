// Makes out/demo.mp4: the bundled portrait says the bundled speech. It runs the command line as anybody would.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../test/sources.ts';

const trained = existsSync(join(ROOT, 'assets', 'mini'));
const model = trained
  ? ['--model', 'mini']
  : ['--model', 'musetalk-1.5', '--models', 'test/golden/dub/models'];
const dub = [
  'dub',
  'assets/demo/portrait.png',
  'assets/demo/speech.flac',
  '-o',
  'out/demo.mp4',
  '-y',
  ...model,
];

mkdirSync(join(ROOT, 'out'), { recursive: true });
if (!trained)
  console.log('The model mini is not here: tiny networks with random weights draw a mouth of noise.');
console.log(`npm run dev -- ${dub.join(' ')}\n`);
const { status } = spawnSync(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...dub], {
  cwd: ROOT,
  stdio: ['ignore', 'inherit', 'inherit'],
});
process.exitCode = status ?? 1;
