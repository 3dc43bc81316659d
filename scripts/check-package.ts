// Looks at the packed package as a stranger would: what is in it, whether types and doors resolve, and whether the
// program of the README runs in an empty folder. Run: npm run check:package
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, textOf } from '../test/sources.ts';

/** What a careful user's compiler is set to. */
const STRICT = {
  module: 'nodenext',
  strict: true,
  exactOptionalPropertyTypes: true,
  types: ['node'],
  typeRoots: [join(ROOT, 'node_modules', '@types')],
};

const folder = mkdtempSync(join(tmpdir(), 'musetalk-package-'));
// No model is in the package yet as long as there is no mini; then tiny networks with seeded weights stand in.
const models = existsSync(join(ROOT, 'assets', 'mini'))
  ? {}
  : { MUSETALK_MODELS: join(ROOT, 'test/golden/dub/models') };

try {
  run(ROOT, 'npm', 'pack', '--silent', '--pack-destination', folder);
  const { name, version } = JSON.parse(textOf('package.json')) as { name: string; version: string };
  const tarball = join(folder, `${name}-${version}.tgz`);
  console.log(`${tarball}: ${(statSync(tarball).size / 2 ** 20).toFixed(1)} MiB`);

  run(ROOT, bin('publint'), tarball, '--strict');
  run(ROOT, bin('attw'), tarball, '--profile', 'esm-only');

  const empty = join(folder, 'empty');
  mkdirSync(empty);
  writeFileSync(join(empty, 'package.json'), '{ "type": "module" }\n');
  run(empty, 'npm', 'install', '--no-audit', '--no-fund', '--silent', '--prefer-offline', tarball);
  for (const file of ['portrait.png', 'speech.flac'])
    copyFileSync(join(ROOT, 'assets/demo', file), join(empty, file));
  writeFileSync(join(empty, 'program.ts'), programOfReadme());
  writeFileSync(join(empty, 'tsconfig.json'), JSON.stringify({ compilerOptions: STRICT }));
  run(empty, bin('tsc'), '--noEmit', '-p', '.');
  run(empty, bin('tsx'), 'program.ts');
  if (statSync(join(empty, 'out.mp4')).size === 0) throw new Error('the program of the README wrote nothing');
  run(empty, join(empty, 'node_modules', '.bin', 'musetalk'), '--version');
  console.log('The package is good.');
} finally {
  rmSync(folder, { recursive: true });
}

/** The first program of the README. */
function programOfReadme(): string {
  return /```ts\n([\s\S]*?)```/.exec(textOf('README.md'))![1]!;
}

function bin(name: string): string {
  return join(ROOT, 'node_modules', '.bin', name);
}

/** Runs a program; it prints what it has to say, and an error of it ends this one. */
function run(cwd: string, program: string, ...args: string[]): void {
  console.log(`> ${[program.replace(/.*[\\/]/, ''), ...args].join(' ')}`);
  const env = { ...process.env, ...models, ONNXRUNTIME_NODE_INSTALL: 'skip' };
  execFileSync(program, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] });
}
