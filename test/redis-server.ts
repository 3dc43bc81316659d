import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

/** The program of Redis or Valkey on this machine; undefined, and a line that says so, where there is none. */
export function findRedis(): string | undefined {
  const found = ['valkey-server', 'redis-server'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (!found) console.log('Neither redis-server nor valkey-server is installed: its tests are skipped.');
  return found;
}

export interface RedisServer {
  readonly url: string;
  /** Ends it as a crash would, and starts it again on what is on its disk. */
  restart(): Promise<void>;
}

/** A server of its own for a test, on a free port, that keeps every write on disk; ended after the test. */
export async function redisServer(t: TestContext, program: string): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-'));
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  let child: ChildProcess;
  const start = async () => {
    child = spawn(program, [...args, '--appendonly', 'yes', '--appendfsync', 'always'], { stdio: 'ignore' });
    while (!(await answers(port))) await sleep(20);
  };
  const stop = async () => {
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  };
  await start();
  t.after(async () => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    restart: async () => {
      await stop();
      await start();
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.on('data', (data) => {
      done(String(data).startsWith('+PONG'));
      socket.destroy();
    });
    socket.on('error', () => done(false));
  });
}
