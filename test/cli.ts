import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));

export interface Ended {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Receives the process as soon as it runs, to be ended by a test. */
  readonly started?: (child: ChildProcess) => void;
}

/** Runs the command line from its sources, in a process of its own. */
export function musetalk(args: readonly string[], { env = {}, started }: CliOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started?.(child);
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
    const text: string[] = [];
    stream!.setEncoding('utf8').on('data', (piece: string) => text.push(piece));
    return text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout: stdout!.join(''), stderr: stderr!.join('') }));
  });
}
