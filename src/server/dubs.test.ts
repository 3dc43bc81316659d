import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Json, shortVideo, spokenWav, type TestService, testService } from '../../test/service.ts';

async function start(service: TestService, orders = '', more: object = {}, token?: string): Promise<string> {
  const video = await service.upload(await shortVideo(), token);
  const sound = await service.upload(spokenWav(orders), token);
  const { id } = await service.post(
    201,
    '/v1/dubs',
    { video, sound, ...more },
    token === undefined ? {} : { token },
  );
  return id;
}

test('upload, dub, watch, fetch, delete: nothing is left', async (t) => {
  const service = await testService(t);
  const before = await service.traces();
  const id = await start(service, 'frames=4 warn=1', { name: 'Grüße/\u202eevil\0.mp4' });
  const dub = await service.ended(id);
  assert.equal(dub.status, 'COMPLETED');
  assert.equal(dub.name, 'Grüße/evil.mp4');
  assert.deepEqual(dub.warnings, ['this is a test']);
  assert.equal(dub.result.frames, 4);
  assert.equal(dub.outputUrl, `/v1/dubs/${id}/result`);

  const whole = await (await service.ask(dub.outputUrl)).text();
  assert.equal(whole.split('\n').length, 4);
  const part = await service.ask(dub.outputUrl, { headers: { range: 'bytes=2-5' } });
  assert.equal(part.status, 206);
  assert.equal(await part.text(), whole.slice(2, 6));
  assert.equal((await service.ask(dub.outputUrl, { headers: { range: 'bytes=9999-' } })).status, 416);
  const saved = await service.ask(`${dub.outputUrl}?download=true`);
  assert.match(
    saved.headers.get('content-disposition')!,
    /^attachment; filename="Gr__e_evil\.mp4"; filename\*=UTF-8''Gr%C3%BC%C3%9Fe_evil\.mp4$/,
  );
  await saved.body!.cancel();
  const source = await service.ask(`/v1/dubs/${id}/source`);
  assert.equal(source.headers.get('content-type'), 'video/mp4');
  assert.deepEqual(Buffer.from(await source.arrayBuffer()), await shortVideo());

  const { data } = await service.json(200, '/v1/dubs');
  assert.deepEqual(
    data.map((one: { id: string }) => one.id),
    [id],
  );
  await service.json(204, `/v1/dubs/${id}`, { method: 'DELETE' });
  await service.json(404, `/v1/dubs/${id}`);
  assert.deepEqual(await service.traces(), before, 'inputs, frames, results and uploads are gone');
});

test('deleting a dub that runs stops it; an upload that another dub was made of stays', async (t) => {
  const service = await testService(t);
  const video = await service.upload(await shortVideo());
  const slow = await service.upload(spokenWav('frames=1000 delay=10'));
  const fast = await service.upload(spokenWav('frames=2'));
  const first = await service.post(201, '/v1/dubs', { video, sound: slow });
  const second = await service.post(201, '/v1/dubs', { video, sound: fast });
  while ((await service.json(200, `/v1/dubs/${first.id}`)).progress === null) await sleep(10);
  assert.equal((await service.json(200, `/v1/dubs/${second.id}`)).position, 0);
  await service.json(204, `/v1/dubs/${first.id}`, { method: 'DELETE' });
  assert.equal((await service.ended(second.id)).status, 'COMPLETED');
  const { data } = await service.json(200, '/v1/uploads');
  assert.deepEqual(data.map((one: { id: string }) => one.id).sort(), [video, fast].sort());
  assert.ok(!(await service.traces()).some((path) => path.includes(first.id)));
});

test('faults of the input reject a dub at once; other faults are tried again, then told with the log', async (t) => {
  const service = await testService(t);
  const rejected = await service.ended(await start(service, 'fail=NO_FACE'));
  assert.deepEqual([rejected.status, rejected.attempts, rejected.error.code], ['REJECTED', 0, 'NO_FACE']);
  assert.equal(rejected.error.message, 'video is wrong on purpose', 'paths of the machine are not told');
  const failed = await service.ended(await start(service, 'fail=ENGINE'));
  assert.deepEqual([failed.status, failed.attempts, failed.error.code], ['FAILED', 3, 'ENGINE']);
  const log = await (await service.ask(`/v1/dubs/${failed.id}/log`)).text();
  assert.match(log, /attempt 1: ENGINE: .*\nattempt 2: .*\nattempt 3: /);
  assert.ok(!log.includes(service.folder));
});

test('a job that kills its worker each time is given up; others are done meanwhile', async (t) => {
  const service = await testService(t, { workers: 2 });
  const poison = await start(service, 'frames=3 crash=1');
  const good = await Promise.all([start(service, 'frames=2'), start(service, 'frames=2')]);
  for (const id of good) assert.equal((await service.ended(id)).status, 'COMPLETED');
  const dub = await service.ended(poison);
  assert.deepEqual([dub.status, dub.error.code], ['FAILED', 'WORKER_LOST']);
});

test('events tell of every step, and go on where a reader left off', async (t) => {
  const service = await testService(t);
  const id = await start(service, 'frames=30 delay=30');
  const events = readEvents(await service.ask(`/v1/dubs/${id}/events`));
  const first = (await events.next()).value!;
  assert.match(first.event, /status|progress/);
  for await (const { event, data } of events) if (event === 'progress' && data.progress.done > 2) break;
  const again = [];
  for await (const one of readEvents(
    await service.ask(`/v1/dubs/${id}/events`, { headers: { 'last-event-id': first.id } }),
  ))
    again.push(one);
  assert.ok(again.length > 2, 'what came after the first event is told again');
  assert.equal(again.at(-1)!.event, 'end');
  assert.equal(again.at(-1)!.data.status, 'COMPLETED');
  const late = [];
  for await (const one of readEvents(
    await service.ask(`/v1/dubs/${id}/events`, { headers: { 'last-event-id': 'x-99' } }),
  ))
    late.push(one.event);
  assert.deepEqual(late, ['end']);
});

test('a key makes one dub, however often and however much at once it is sent', async (t) => {
  const service = await testService(t);
  const video = await service.upload(await shortVideo());
  const sound = await service.upload(spokenWav());
  const headers = { 'idempotency-key': 'abc', 'content-type': 'application/json' };
  const send = (body: object) =>
    service.ask('/v1/dubs', { method: 'POST', headers, body: JSON.stringify({ video, sound, ...body }) });
  const answers = await Promise.all(Array.from({ length: 12 }, () => send({})));
  const dubs = await Promise.all(answers.map((answer) => answer.json() as Promise<{ id: string }>));
  assert.equal(new Set(dubs.map(({ id }) => id)).size, 1);
  assert.equal(answers.filter(({ status }) => status === 201).length, 1);
  const other = await send({ name: 'other' });
  assert.equal(other.status, 409);
  await service.ended(dubs[0]!.id);
  const folders = new Set(
    (await service.traces()).filter((path) => path.startsWith('jobs/')).map((path) => path.split('/')[1]),
  );
  assert.equal(folders.size, 1, 'the folders of the copies are gone');
});

test('the words of other services mean the same', async (t) => {
  const service = await testService(t);
  const video = await service.upload(await shortVideo());
  const sound = await service.upload(spokenWav());
  const dub = await service.post(201, '/v1/dubs', {
    input: [
      { type: 'video', assetId: video },
      { type: 'audio', upload: sound },
    ],
    model: 'mini',
    options: { sync_mode: 'loop', temperature: 0.5, active_speaker_detection: { coordinates: [12, 30] } },
    outputFileName: 'mine',
  });
  assert.deepEqual(
    [dub.options.syncMode, dub.options.face, dub.options.model, dub.name],
    ['loop', '12,30', 'mini', 'mine'],
  );
  assert.deepEqual(dub.warnings, ['temperature has no effect with these models']);
});

test('a batch takes each line for itself', async (t) => {
  const service = await testService(t);
  const video = await service.upload(await shortVideo());
  const sound = await service.upload(spokenWav());
  const lines = [
    JSON.stringify({ video, sound }),
    '{"video":',
    JSON.stringify({ video, sound, options: { crf: 99 } }),
  ];
  const headers = { 'content-type': 'application/jsonl' };
  const batch = await service.json(201, '/v1/batches', { method: 'POST', headers, body: lines.join('\n') });
  assert.deepEqual(
    batch.data.map((one: Json) => one.error?.code ?? 'dub'),
    ['dub', 'BAD_OPTION', 'BAD_OPTION'],
  );
  await service.ended(batch.data[0].dub.id);
  assert.equal((await service.json(200, `/v1/batches/${batch.id}`)).data.length, 1);
  await service.json(204, `/v1/batches/${batch.id}`, { method: 'DELETE' });
  await service.json(404, `/v1/batches/${batch.id}`);
});

test('an estimate tells length, time and room before anything starts', async (t) => {
  const service = await testService(t);
  const video = await service.upload(await shortVideo());
  const sound = await service.upload(spokenWav());
  const estimate = await service.post(200, '/v1/estimates', { video, sound });
  assert.deepEqual([estimate.frames, estimate.measured], [3, false]); // 1600 samples at 16 kHz: 0.1 s
  assert.ok(estimate.seconds > 0 && estimate.memory > 1e8);
  assert.equal((await service.json(200, '/v1/dubs')).data.length, 0);
});

async function* readEvents(answer: Response): AsyncGenerator<{ id: string; event: string; data: Json }> {
  assert.equal(answer.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  let text = '';
  for await (const chunk of answer.body!.pipeThrough(
    new TextDecoderStream(),
  ) as unknown as AsyncIterable<string>) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = new Map(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => line.split(/: (.*)/s) as [string, string]),
      );
      text = text.slice(end + 2);
      if (fields.has('event'))
        yield { id: fields.get('id')!, event: fields.get('event')!, data: JSON.parse(fields.get('data')!) };
    }
  }
}
