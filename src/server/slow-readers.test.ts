// Clients that ask for much and read nothing: they cost no memory, hold up nobody, and are let go.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { shortVideo, spokenWav, testService } from '../../test/service.ts';
import { Events } from './events.ts';
import type { Job } from './queue/job.ts';
import type { Change, Queue } from './queue/queue.ts';

const FULL = process.env.MUSETALK_FULL === '1';

test('readers that never read a result of gigabytes cost no memory, and are let go', async (t) => {
  const service = await testService(t, { workers: 1 }, { idle: FULL ? 8 : 3 });
  const bytes = 2 ** 31;
  const video = await service.upload(await shortVideo());
  const sound = await service.upload(spokenWav(`frames=1 bytes=${bytes}`));
  const { id } = await service.post(201, '/v1/dubs', { video, sound });
  assert.equal((await service.ended(id)).status, 'COMPLETED');
  const memory = process.memoryUsage().rss;
  const port = Number(new URL(service.url).port);
  const closed: Promise<number>[] = [];
  for (let i = 0; i < (FULL ? 100 : 20); i++) {
    const socket: Socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    let came = 0;
    socket.on('data', (chunk) => {
      came += chunk.length;
      if (came > 100e6) socket.destroy(); // it was not let go
    });
    socket.pause();
    closed.push(new Promise((done) => socket.on('close', () => done(came))));
    socket.write(`GET /v1/dubs/${id}/result HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    // What lies in the system's own buffers is read once the other side is known to be gone.
    setTimeout(() => socket.resume(), FULL ? 30_000 : 15_000);
  }
  await sleep(1000);
  const start = performance.now();
  await service.json(200, '/healthz');
  assert.ok(performance.now() - start < 5000);
  const more = process.memoryUsage().rss - memory;
  t.diagnostic(`${Math.round(more / 1e6)} MB more in memory`);
  assert.ok(more < 200e6, `${more} bytes more`);
  for (const came of await Promise.all(closed)) assert.ok(came < 50e6, `${came} bytes were sent to one`);
  const part = await service.ask(`/v1/dubs/${id}/result`, {
    headers: { range: `bytes=${bytes - 4}-${bytes - 1}` },
  });
  assert.deepEqual(
    [part.status, part.headers.get('content-range')],
    [206, `bytes ${bytes - 4}-${bytes - 1}/${bytes}`],
  );
  await part.arrayBuffer();
  await service.json(204, `/v1/dubs/${id}`, { method: 'DELETE' });
});

test('a reader of events that does not read is told only the newest, once it does', async () => {
  let tell: (change: Change) => void = () => {};
  const queue = {
    watch: (listener: typeof tell) => {
      tell = listener;
      return () => {};
    },
  } as unknown as Queue;
  const view = async ({ progress }: Job) => ({ done: progress?.done, room: 'x'.repeat(1000) });
  const events = new Events(queue, { perOwner: 9, total: 9, heartbeat: 60_000, view });
  const response = new SlowResponse();
  const job = (done: number) =>
    ({
      id: 'j',
      owner: 'o',
      state: 'running',
      progress: { stage: 'draw', done, total: 1e4 },
    }) as unknown as Job;
  void events.stream(job(0), response as unknown as ServerResponse, undefined, () => {});
  await sleep(5);
  for (let i = 1; i <= 5000; i++) {
    tell({ id: 'j', owner: 'o', job: job(i) });
    if (i % 100 === 0) await sleep(0);
  }
  await sleep(5);
  assert.ok(response.writableLength < 400_000, `${response.writableLength} bytes wait`);
  response.read();
  await sleep(5);
  assert.match(response.last, /"done":5000/);
  events.close();
});

/** An answer that a client takes when `read` is called. */
class SlowResponse extends EventEmitter {
  writableLength = 0;
  writableEnded = false;
  destroyed = false;
  last = '';

  writeHead(): void {}

  write(text: string): void {
    this.writableLength += text.length;
    this.last = text;
  }

  read(): void {
    this.writableLength = 0;
    this.emit('drain');
  }

  end(): void {
    this.writableEnded = true;
  }
}
