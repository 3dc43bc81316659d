// Compiles src/ to dist/, and the page of the service to dist/web/.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../test/sources.ts';

rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
run('typescript/bin/tsc', '-p', 'tsconfig.build.json');
chmodSync(join(ROOT, 'dist', 'cli', 'main.js'), 0o755);
if (existsSync(join(ROOT, 'web', 'vite.config.ts')))
  run('vite/bin/vite.js', 'build', 'web', '--logLevel', 'warn');

/** Runs a program of a package; it prints what it has to say. */
function run(program: string, ...args: string[]): void {
  execFileSync(process.execPath, [join(ROOT, 'node_modules', program), ...args], {
    cwd: ROOT,
    stdio: 'inherit',
  });
}
