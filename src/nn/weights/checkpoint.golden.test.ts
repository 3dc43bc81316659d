import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type GoldenCase, golden } from '../../../test/shared.ts';
import { MuseTalkError } from '../../core/errors.ts';
import { asFloat32 } from './cast.ts';
import type { Checkpoint } from './checkpoint.ts';
import { openCheckpoint } from './open-checkpoint.ts';
import { encodeTensor } from './tensor-bytes.ts';

// Files written by torch 2.13 and safetensors 0.8 (and hostile variants of them), with what they must give; see
// the note in the manifest. Everything is compared exactly.

const { folder, cases } = golden('checkpoints');

interface ExpectedTensor {
  readonly path: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly sha256: string;
  readonly first: readonly number[];
}

interface Expected {
  readonly tensors: readonly ExpectedTensor[];
  readonly scalars?: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, string>>;
}

for (const goldenCase of cases) {
  const file = join(folder, String(goldenCase.inputs.file));
  if (typeof goldenCase.outputs.expect === 'string') {
    const expected = JSON.parse(readFileSync(join(folder, goldenCase.outputs.expect), 'utf8'));
    if (goldenCase.name === 'zip_module_object') {
      test('a pickled module is refused by the name of its class', () =>
        refuses(file, ['torch.nn.modules.linear.Linear']));
    } else {
      test(`${goldenCase.name} gives every tensor: ${goldenCase.what}`, () => agrees(file, expected));
    }
  } else if (goldenCase.params.result === 'error') {
    test(`${goldenCase.name} is refused: ${goldenCase.what}`, () => mayOnlyRefuse(file, goldenCase));
  }
}

test('a key "__proto__" is a key like any other', { skip: !has('bad/evil_build.pt') }, async () => {
  await using checkpoint = await opened(join(folder, 'bad/evil_build.pt'));
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
  assert.equal(checkpoint.metadata.get('__proto__/polluted'), 'yes');
  assert.equal((await checkpoint.read('w')).data.length, 10);
});

test('a stream that claims to be big endian is read as little endian', {
  skip: !has('bad/legacy_bigendian.pth'),
}, async () => {
  await using checkpoint = await opened(join(folder, 'bad/legacy_bigendian.pth'));
  const [name] = checkpoint.entries.keys();
  assert.deepEqual([...(await checkpoint.read(name!)).data], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

async function agrees(file: string, expected: Expected): Promise<void> {
  await using checkpoint = await opened(file);
  const found = [...checkpoint.entries.values()].map(({ name, dtype, shape }) => ({ name, dtype, shape }));
  const wanted = expected.tensors.map(({ path, dtype, shape }) => ({ name: path, dtype, shape }));
  assert.deepEqual(found.sort(byName), wanted.sort(byName));
  for (const { path, shape, sha256 } of expected.tensors) {
    const tensor = await checkpoint.read(path);
    assert.deepEqual(tensor.shape, shape);
    const isFloat = /float/.test(tensor.dtype);
    const bytes = encodeTensor(isFloat ? asFloat32(tensor) : tensor);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256, path);
    await checkInPlace(checkpoint, path, file);
  }
  for (const [path, value] of Object.entries(expected.scalars ?? {})) {
    const found = checkpoint.metadata.get(path.replace('big_as_string', 'big'));
    assert.equal(path.endsWith('big_as_string') ? String(found) : found, value, path);
  }
  for (const [key, text] of Object.entries(expected.metadata ?? {}))
    assert.equal(checkpoint.metadata.get(key), text);
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : Number(a.name > b.name);
}

/** What is said to lie in place must lie there. */
async function checkInPlace(checkpoint: Checkpoint, name: string, file: string): Promise<void> {
  const { inPlace, location } = checkpoint.entries.get(name)!;
  if (!inPlace) return;
  const bytes = readFileSync(file).subarray(location.offset, location.offset + location.length);
  assert.deepEqual(new Uint8Array(bytes), encodeTensor(await checkpoint.read(name)), name);
}

/** Cases whose result "may be" a success must at least come back. */
async function mayOnlyRefuse(file: string, { params }: GoldenCase): Promise<void> {
  const started = performance.now();
  if (/loads|may load|may do so/.test(params.note ?? '')) {
    const checkpoint = await openCheckpoint(file).catch(assertPlainError);
    await checkpoint?.close();
  } else {
    await refuses(file, params.mentions);
  }
  assert.ok(performance.now() - started < 1000, 'took more than a second');
  assert.equal(existsSync('PWNED'), false);
}

async function refuses(file: string, mentions: readonly string[]): Promise<void> {
  await assert.rejects(openCheckpoint(file), (error) => {
    assertPlainError(error);
    const said = `${(error as Error).message} ${(error as MuseTalkError).hint}`.toLowerCase();
    for (const mention of mentions) {
      const words = mention.toLowerCase().split(' or ');
      assert.ok(
        words.some((word) => word === 'none' || said.includes(word.length === 1 ? `"${word}"` : word)),
        `${said} does not mention ${mention}`,
      );
    }
    return true;
  });
}

function assertPlainError(error: unknown): undefined {
  assert.ok(error instanceof MuseTalkError, String(error));
  assert.ok(!error.message.includes('\n'), error.message);
  if (process.env.MUSETALK_SHOW_ERRORS) console.log(`${error.code} ${error.message} | ${error.hint}`);
}

async function opened(file: string): Promise<Checkpoint & AsyncDisposable> {
  const checkpoint = await openCheckpoint(file);
  return { ...checkpoint, [Symbol.asyncDispose]: () => checkpoint.close() };
}

function has(file: string): boolean {
  return existsSync(join(folder, file));
}
