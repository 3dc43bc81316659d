import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { INNER_HOSTS } from '../../test/inner-hosts.ts';
import { shortVideo, spokenWav, type TestService, testService } from '../../test/service.ts';
import { tlsServer } from '../../test/tls-server.ts';
import { signature } from './webhooks.ts';

const DELAYS = [0.01, 0.02];

async function dubWith(service: TestService, webhookUrl: string, orders = 'frames=1') {
  const video = await service.upload(await shortVideo());
  const sound = await service.upload(spokenWav(orders));
  const { id } = await service.post(201, '/v1/dubs', { video, sound, webhookUrl });
  const dub = await service.ended(id);
  return { id, dub };
}

async function settled(service: TestService, id: string) {
  for (;;) {
    const { webhook, status } = await service.json(200, `/v1/dubs/${id}`);
    if (webhook.state !== 'waiting') return { ...webhook, status };
    await sleep(10);
  }
}

test('the signature is an HMAC of time and body', () => {
  const mark = createHmac('sha256', 'key').update('12.{"a":1}').digest('hex');
  assert.equal(signature('key', 12, '{"a":1}'), `t=12,v1=${mark}`);
});

test('a webhook is called once when a job has ended, signed and dated; failures are repeated, with one id', async (t) => {
  const hook = await tlsServer(t, (_, response) => {
    response.writeHead(hook.received.length < 3 ? 500 : 204).end();
  });
  const service = await testService(t, {}, { outbound: hook.rules, webhooks: { delays: DELAYS } });
  const { id } = await dubWith(service, `https://hook.example:${hook.port}/done?x=1`);
  assert.deepEqual(
    await settled(service, id).then(({ state, attempts, status }) => [state, attempts, status]),
    [...['delivered', 3, 'COMPLETED']],
  );
  assert.equal(hook.received.length, 3);
  const { secret } = await service.json(200, '/v1/webhook-secret');
  for (const { request, body } of hook.received) {
    const mark = String(request.headers['musetalk-signature']);
    const seconds = Number(/t=(\d+)/.exec(mark)![1]);
    assert.ok(Math.abs(seconds - Date.now() / 1000) < 60);
    assert.equal(mark, signature(secret, seconds, body));
    assert.equal(JSON.parse(body).data.id, id);
    assert.equal(JSON.parse(body).type, 'dub.completed');
  }
  assert.equal(new Set(hook.received.map(({ body }) => JSON.parse(body).id)).size, 1);
});

test('endpoints that hang, stream for ever, redirect inside or are not public change nothing about the job', async (t) => {
  const hook = await tlsServer(t, ({ request }, response) => {
    if (request.url === '/hang') return;
    if (request.url === '/redirect') response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
    else {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'.repeat(10_000)), 1);
      response.on('close', () => clearInterval(timer));
    }
  });
  const webhooks = { delays: [0.01], timeout: 0.3 };
  const service = await testService(t, {}, { outbound: hook.rules, webhooks });
  const base = `https://hook.example:${hook.port}`;
  for (const [path, state] of [
    ['/hang', 'given up'],
    ['/redirect', 'given up'],
    ['/endless', 'delivered'],
  ]) {
    const { id, dub } = await dubWith(service, base + path);
    assert.equal(dub.status, 'COMPLETED');
    const end = await settled(service, id);
    assert.deepEqual([end.state, end.status], [state, 'COMPLETED'], path);
  }
  const inside = await testService(t, {}, { webhooks: { delays: [] } });
  const { id, dub } = await dubWith(inside, 'https://127.0.0.1/x');
  assert.equal(dub.status, 'COMPLETED');
  assert.equal((await settled(inside, id)).state, 'given up');
});

test('no way of writing an inner address gets a webhook there, nor an input from there', async (t) => {
  const inner = await tlsServer(t, (_, response) => response.end());
  const service = await testService(t, { urlHosts: '*.example' }, { webhooks: { delays: [] } });
  const video = await service.upload(await shortVideo());
  const sound = await service.upload(spokenWav('frames=1'));
  for (const form of [...INNER_HOSTS, 'localhost']) {
    const url = `https://${form}:${inner.port}/x`;
    const { error } = await service.post(422, '/v1/dubs', { video: { url }, sound });
    assert.equal(error.code, 'ADDRESS_REFUSED', form);
    const { id } = await service.post(201, '/v1/dubs', { video, sound, webhookUrl: url });
    const end = await settled(service, id);
    assert.deepEqual([end.state, end.status], ['given up', 'COMPLETED'], form);
  }
  assert.equal(inner.received.length, 0);
  assert.ok(!(await service.traces()).some((path) => path.includes('fetched')));
});

test('a call that was still to be made is made after a restart', async (t) => {
  let up = false;
  const hook = await tlsServer(t, (_, response) => response.writeHead(up ? 200 : 503).end());
  const first = await testService(t, {}, { outbound: hook.rules, webhooks: { delays: [3600] } });
  const { id } = await dubWith(first, `https://hook.example:${hook.port}/`);
  while ((await first.json(200, `/v1/dubs/${id}`)).webhook.attempts === 0) await sleep(10);
  await first.close();
  up = true;
  const second = await testService(t, { data: first.folder }, { outbound: hook.rules });
  assert.equal((await settled(second, id)).state, 'delivered');
  await second.close();
});
