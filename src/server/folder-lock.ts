import { createHash } from 'node:crypto';
import { realpath, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';

/**
 * Keeps a folder for this process, by a local socket that ends with it whatever ends it: no stale lock is ever left.
 * Gives what lets go of it.
 *
 * @throws MuseTalkError CONFLICT when another process keeps it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const name = `musetalk-${createHash('sha256')
    .update(await realpath(folder))
    .digest('hex')
    .slice(0, 24)}`;
  const path = process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
  const taken = () =>
    new MuseTalkError('CONFLICT', `another service works in ${folder}`, {
      hint: 'Stop it, or give this one another folder with --data.',
      facts: { folder },
    });
  if (await answers(path)) throw taken();
  if (process.platform !== 'win32') await rm(path, { force: true });
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((done, fail) => {
    server.once('error', (cause) => fail(Object.assign(taken(), { cause })));
    server.listen(path, done);
  });
  server.unref();
  return () => new Promise((done) => server.close(() => done()));
}

function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}
