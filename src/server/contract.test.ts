// The description of the API is the contract: every route of it is called, with bad values in each field that it names.
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { childrenLeft, shortVideo, spokenWav, type TestService, testService } from '../../test/service.ts';
import type { Description, JsonSchema, Operation } from './openapi.ts';

const FULL = process.env.MUSETALK_FULL === '1';
const closers: (() => unknown)[] = [];
let service: TestService;
let api: Description;
let good: Record<string, Record<string, unknown>>;

before(async () => {
  const context = { after: (end: () => unknown) => closers.push(end) };
  service = await testService(context as unknown as TestContext, {
    workers: 1,
    maxQueued: 10_000,
  });
  api = await service.json(200, '/openapi.json');
  const video = await service.upload(await shortVideo());
  const sound = await service.upload(spokenWav());
  good = {
    '/v1/dubs': { video, sound },
    '/v1/estimates': { video, sound },
    '/v1/previews': { video },
    '/v1/session': { token: 'anything' },
  };
});
after(async () => {
  for (const end of closers.reverse()) await end();
});

type Place = readonly [path: string, method: string, operation: Operation];

function operations(): Place[] {
  return Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [path, method.toUpperCase(), operation] as const),
  );
}

/** Every answer is as described: no fault of the service, and errors are errors in the form that all have. */
async function checkAnswer(answer: Response, what: string): Promise<number> {
  const text = await answer.text();
  assert.ok(answer.status < 500 || answer.status === 503, `${what}: ${answer.status} ${text}`);
  if (answer.status >= 400 && text !== '' && !what.startsWith('HEAD')) {
    const { error } = JSON.parse(text);
    assert.match(error.code, /^[A-Z_]+$/, what);
    assert.ok(error.message.length > 0 && !error.message.includes(service.folder), what);
  }
  return answer.status;
}

function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  return service.ask(path, {
    ...{ method, headers: { ...(text !== undefined && { 'content-type': 'application/json' }), ...headers } },
    ...(text !== undefined && { body: text }),
  });
}

test('the description is whole: each route with an id, answers, and a way to fail', () => {
  const ids = new Set<string>();
  for (const [path, method, operation] of operations()) {
    assert.ok(operation.summary.length > 5 && operation.tags.length === 1, `${method} ${path}`);
    assert.ok(!ids.has(operation.operationId), operation.operationId);
    ids.add(operation.operationId);
    assert.ok('default' in operation.responses);
    for (const [, name] of path.matchAll(/\{(\w+)\}/g))
      assert.ok(
        operation.parameters.some((one) => one.in === 'path' && one.name === name),
        path,
      );
  }
  assert.ok(ids.size > 20);
  assert.doesNotMatch(JSON.stringify(api), /\$defs/);
});

test('every route answers ids that nothing has, and ids that are none, with an error of its own', async () => {
  for (const [path, method] of operations()) {
    if (!path.includes('{')) continue;
    for (const id of [
      '0'.repeat(26),
      'x',
      '..',
      '%00',
      '%ff%fe',
      'a'.repeat(150),
      '💋',
      "'; DROP TABLE jobs",
      '-1',
    ]) {
      const url = path.replace(/\{\w+\}/, id.startsWith('%') ? id : encodeURIComponent(id));
      const status = await checkAnswer(await send(method, url), `${method} ${url}`);
      // Stopping what nobody began is no error.
      assert.ok(status >= 400 || status === 204, `${method} ${url}: ${status}`);
    }
  }
});

test('each parameter of a query refuses what is out of its range', async () => {
  for (const [path, method, { parameters }] of operations()) {
    for (const { name, in: where, schema } of parameters) {
      if (where !== 'query') continue;
      const url = path.replace(/\{\w+\}/, '0'.repeat(26));
      for (const value of badValues(schema).filter(
        (one) => (typeof one === 'string' && one !== '1') || typeof one === 'number',
      )) {
        const what = `${method} ${url}?${name}=${encodeURIComponent(String(value)).slice(0, 50)}`;
        const answer = await send(
          method,
          `${url}?${name}=${encodeURIComponent(String(value).slice(0, 8000))}`,
        );
        const status = await checkAnswer(answer, what);
        assert.ok(status >= 400 || status === 201 || schema.type === 'string', `${what}: ${status}`);
      }
    }
  }
});

test('each field of each body refuses what is not in its schema, and names the field', async () => {
  let count = 0;
  for (const [path, method, { requestBody }] of operations()) {
    const schema = requestBody?.content['application/json']?.schema;
    if (!schema) continue;
    for (const [field, property] of fieldsOf(schema)) {
      for (const value of badValues(property)) {
        const body = withField(good[path] ?? {}, field, value);
        const answer = await send(method, path, body);
        const text = await answer.clone().text();
        const what = `${method} ${path} ${field.join('.')}=${JSON.stringify(value)?.slice(0, 60)}`;
        assert.equal(await checkAnswer(answer, what), 400, `${what}: ${text}`);
        assert.ok(text.includes(field[0]!), `${what}: ${text}`);
        count++;
      }
    }
    for (const body of [[], 'text', 1, null, true, { ...good[path], unknown_field: 1 }])
      assert.equal(await checkAnswer(await send(method, path, body), `${path} ${JSON.stringify(body)}`), 400);
    for (const text of ['', '{', '{"a":', '[[', '\u0000', '{"__proto__":{"x":1}}', '['.repeat(5000)])
      assert.equal(await checkAnswer(await send(method, path, text), `${path} ${text.slice(0, 20)}`), 400);
    assert.equal(
      await checkAnswer(await send(method, path, '{}', { 'content-type': 'text/plain' }), path),
      400,
    );
  }
  assert.ok(count > 100, `${count} bad values were tried`);
  assert.equal((await service.json(200, '/v1/dubs')).data.length, 0, 'none of it made a dub');
});

test('whatever is sent to whichever route, the service answers and goes on', async () => {
  const places = operations().filter(([path]) => !/\/(pull|events)$/.test(path));
  const word = fc.oneof(fc.string({ maxLength: 30 }), fc.constantFrom('..', '\0', '%00', '0'.repeat(26)));
  const call = fc.record({
    place: fc.integer({ min: 0, max: places.length - 1 }),
    id: word,
    query: fc.dictionary(fc.stringMatching(/^[a-z]{1,10}$/), word, { maxKeys: 3 }),
    body: fc.oneof(fc.json({ maxDepth: 4 }), fc.string({ maxLength: 200 })),
    type: fc.constantFrom(
      'application/json',
      'application/jsonl',
      'multipart/form-data; boundary=x',
      'text/plain',
      '',
    ),
    merge: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(call, async ({ place, id, query, body, type, merge }) => {
      const [path, method] = places[place]!;
      const url = `${path.replace(/\{\w+\}/, encodeURIComponent(id) || 'x')}?${new URLSearchParams(query)}`;
      const bare = method === 'GET' || method === 'HEAD';
      const text = merge && good[path] ? JSON.stringify({ ...good[path], ...asObject(body) }) : body;
      const answer = await service.ask(url, {
        ...{ method, headers: type === '' ? {} : { 'content-type': type } },
        ...(!bare && { body: text }),
      });
      await checkAnswer(answer, `${method} ${url} ${type} ${text.slice(0, 200)}`);
    }),
    { numRuns: FULL ? 3000 : 150, ...(FULL ? {} : { seed: 20_250_401 }) },
  );
  assert.equal((await service.json(200, '/healthz')).status, 'ok');
  for (const { id } of (await service.json(200, '/v1/dubs?limit=100')).data)
    await service.json(204, `/v1/dubs/${id}`, { method: 'DELETE' });
  assert.deepEqual(await childrenLeft(), []);
});

function asObject(text: string): object {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

type Field = readonly [path: string[], schema: JsonSchema];

/** All fields of an object, and those of the objects in it. */
function fieldsOf(schema: JsonSchema, path: string[] = []): Field[] {
  return Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>).flatMap(
    ([name, property]) => [[[...path, name], property] as const, ...fieldsOf(property, [...path, name])],
  );
}

function withField(
  body: Record<string, unknown>,
  [first, ...rest]: readonly string[],
  value: unknown,
): object {
  const inner =
    rest.length === 0 ? value : withField((body[first!] ?? {}) as Record<string, unknown>, rest, value);
  return { ...body, [first!]: inner };
}

/** Values that no schema of this kind takes. */
function badValues(schema: JsonSchema): unknown[] {
  const { type, enum: words, minimum, maximum, maxLength, pattern, exclusiveMinimum, maxItems } = schema;
  if (schema.anyOf || schema.oneOf) return [null, true, { nothing: 1 }];
  const bad: unknown[] = [null, { nothing: { like: 'this' } }];
  if (type !== 'array') bad.push([[]]);
  if (type !== 'string') bad.push('no', '');
  if (type === 'string') bad.push(1, true);
  if (type !== 'boolean') bad.push(false);
  if (words) bad.push('nonsense', 'MP4 ');
  if (pattern !== undefined) bad.push('\u0000', '../..', 'A B');
  if (maxLength !== undefined) bad.push('x'.repeat((maxLength as number) + 1));
  if (typeof minimum === 'number' && minimum > -1e15) bad.push(minimum - 1);
  if (typeof maximum === 'number' && maximum < 1e15) bad.push(maximum + 1);
  if (typeof exclusiveMinimum === 'number') bad.push(exclusiveMinimum);
  if (type === 'integer') bad.push(1.5, 1e300);
  if (type === 'number' || type === 'integer') bad.push('1');
  if (type === 'array')
    bad.push('x', [], typeof maxItems === 'number' && maxItems < 1000 ? Array(maxItems + 1).fill(0) : [0]);
  return bad;
}
