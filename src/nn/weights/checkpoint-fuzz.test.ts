import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { fixturePath } from '../../../test/shared.ts';
import { zipOf } from '../../../test/zip.ts';
import { MuseTalkError } from '../../core/errors.ts';
import { memorySource } from './byte-source.ts';
import { openSource } from './open-checkpoint.ts';
import { readPickle } from './read-pickle.ts';
import { readZipDirectory } from './zip-directory.ts';

// Damaged and hostile files: whatever the bytes are, a reader gives tensors or a MuseTalkError, soon, and within
// the memory that the file's own size explains. The seed is printed; MUSETALK_FUZZ_SECONDS makes it longer and
// MUSETALK_FUZZ_SEED repeats a run.

const SECONDS = Number(process.env.MUSETALK_FUZZ_SECONDS ?? 9);
const SEED = Number(process.env.MUSETALK_FUZZ_SEED ?? Date.now() % 2 ** 31);
const LONGEST_MS = 3000;
const MOST_MEMORY = 1 << 30;

const corpus = filesOf(fixturePath('checkpoints')).concat(filesOf(fixturePath('checkpoints', 'bad')));

test('no mutated file does anything but load or be refused', async (t) => {
  await fuzz(t, fc.tuple(fc.constantFrom(...corpus), mutations()), async ([file, steps]) => {
    await survives(mutated(file, steps));
  });
});

test('no mutated pickle or record inside a sound zip does more than that', async (t) => {
  const zips = await Promise.all(corpus.filter((file) => file[0] === 0x50).map(recordsOf));
  const whole = zips.filter((records) => records !== undefined);
  const input = fc.tuple(fc.constantFrom(...whole), fc.nat(), mutations());
  await fuzz(t, input, async ([records, pick, steps]) => {
    const chosen = pick % 3 === 0 ? pick % records.length : 0;
    const changed = records.map(([name, bytes], i): [string, Uint8Array] => [
      name,
      i === chosen ? mutated(bytes, steps) : bytes,
    ]);
    await survives(zipOf(changed));
  });
});

test('no program for the pickle machine does more than that', async (t) => {
  await fuzz(t, pickles(), async (bytes) => {
    await survives(bytes);
    await survives(
      zipOf([
        ['a/data.pkl', bytes],
        ['a/data/0', new Uint8Array(64)],
      ]),
    );
  });
});

test('no change of the header of a safetensors file does more than that', async (t) => {
  const noise = fc.dictionary(fc.string(), fc.oneof(fc.jsonValue({ maxDepth: 3 }), descriptions()), {
    maxKeys: 2,
  });
  const length = fc.oneof(fc.constant(SOUND_LENGTH), fc.nat(64));
  const input = fc.tuple(descriptions(), fc.oneof(fc.constant({}), noise), length);
  await fuzz(t, input, async ([changed, more, length]) => {
    const object = { ...SOUND_HEADER, b: { ...SOUND_HEADER.b, ...changed }, ...more };
    const json = new TextEncoder().encode(JSON.stringify(object));
    const file = new Uint8Array(8 + json.length + length);
    new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
    file.set(json, 8);
    await survives(file);
  });
});

/** Tensors that were read, so that a test can tell that it tried something. */
let tensorsRead = 0;

/** Opens the bytes in every way and reads what they offer. */
async function survives(bytes: Uint8Array): Promise<void> {
  const started = performance.now();
  await onlyPlainErrors(async () => {
    const checkpoint = await openSource(memorySource('fuzzed', bytes), 'a checkpoint');
    for (const name of [...checkpoint.entries.keys()].slice(0, 40)) {
      const { shape } = checkpoint.entries.get(name)!;
      tensorsRead++;
      const { data } = await checkpoint.readFloat(name);
      assert.equal(
        data.length,
        shape.reduce((product, size) => product * size, 1),
      );
    }
  });
  await onlyPlainErrors(() => readPickle(memorySource('fuzzed', bytes)));
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
  assert.ok(performance.now() - started < LONGEST_MS, `took ${performance.now() - started} ms`);
  assert.ok(process.memoryUsage.rss() < MOST_MEMORY, `uses ${process.memoryUsage.rss()} bytes`);
}

async function onlyPlainErrors(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof MuseTalkError)) throw error;
    assert.ok(!/[\n\r]/.test(error.message), error.message);
    assert.ok(error.message.length < 2000, error.message);
  }
}

async function fuzz<T>(
  t: { diagnostic(message: string): void },
  input: fc.Arbitrary<T>,
  check: (value: T) => Promise<void>,
): Promise<void> {
  let runs = 0;
  tensorsRead = 0;
  const property = fc.asyncProperty(input, async (value) => {
    runs++;
    await check(value);
  });
  await fc.assert(property, {
    seed: SEED,
    numRuns: 10_000_000,
    interruptAfterTimeLimit: (SECONDS * 1000) / 4,
    markInterruptAsFailure: false,
  });
  t.diagnostic(`${runs} inputs with ${tensorsRead} readable tensors, seed ${SEED}`);
  assert.ok(runs > 10 && tensorsRead > 0, 'hardly anything was tried');
}

type Mutation = readonly [kind: number, where: number, value: number];

function mutations(): fc.Arbitrary<Mutation[]> {
  const step = fc.tuple(fc.nat(6), fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(...ODD_NUMBERS)));
  return fc.array(step, { minLength: 1, maxLength: 6 });
}

const ODD_NUMBERS = [
  0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x2e, 0x52, 0x28,
];

function mutated(file: Uint8Array, steps: readonly Mutation[]): Uint8Array {
  let bytes: Uint8Array<ArrayBuffer> = new Uint8Array(file);
  for (const [kind, place, value] of steps) {
    const at = bytes.length === 0 ? 0 : place % bytes.length;
    const view = new DataView(bytes.buffer);
    if (kind === 0) bytes[at] = value;
    else if (kind === 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << (value % 8));
    else if (kind === 2 && at + 4 <= bytes.length) view.setUint32(at, value, true);
    else if (kind === 3 && at + 8 <= bytes.length)
      view.setBigInt64(at, BigInt(value) << BigInt(place % 33), true);
    else if (kind === 4) bytes = bytes.slice(0, at);
    else if (kind === 5) bytes = joined(bytes.subarray(0, at), bytes.subarray(at + (value % 64)));
    else if (kind === 6)
      bytes = joined(bytes.subarray(0, at), bytes.subarray(Math.max(at - (value % 64), 0)));
  }
  return bytes;
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}

/** Programs that mostly hang together: opcodes with arguments of the right form, classes that mean something. */
function pickles(): fc.Arbitrary<Uint8Array> {
  const text = fc.constantFrom(
    'w',
    'a',
    '0',
    'cpu',
    'storage',
    'module',
    'latin1',
    'f4',
    'O',
    '__proto__',
    'x'.repeat(300),
  );
  const u8 = fc.nat(255).map((n) => String.fromCharCode(n));
  const operation = fc.oneof(
    fc.constantFrom(...'(012NI)]}lteduasQRbot.'.split('')),
    fc.constantFrom(
      '\x85',
      '\x86',
      '\x87',
      '\x88',
      '\x89',
      '\x8f',
      '\x90',
      '\x91',
      '\x93',
      '\x94',
      '\x81',
      '\x92',
    ),
    fc.constantFrom(...GLOBALS).map((name) => `c${name}\n`),
    fc.constantFrom(...TENSORS),
    text.map((t) => `X${littleEndian(t.length, 4)}${t}`),
    text.map((t) => `U${littleEndian(t.length % 256, 1)}${t.slice(0, 255)}`),
    fc.integer({ min: -5, max: 40 }).map((n) => `J${littleEndian(n >>> 0, 4)}`),
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map((n) => `L${n}L\n`),
    fc.array(u8, { maxLength: 10 }).map((b) => `C${littleEndian(b.length, 1)}${b.join('')}`),
    fc.array(u8, { maxLength: 10 }).map((b) => `\x8a${littleEndian(b.length, 1)}${b.join('')}`),
    fc.nat(6).map((n) => `q${String.fromCharCode(n)}`),
    fc.nat(6).map((n) => `h${String.fromCharCode(n)}`),
    u8,
  );
  return fc
    .array(operation, { maxLength: 60 })
    .map((parts) => Buffer.from(`\x80\x02${parts.join('')}.`, 'latin1'))
    .map((buffer) => new Uint8Array(buffer));
}

const GLOBALS = `collections\nOrderedDict torch\nFloatStorage torch\nUntypedStorage torch\nSize torch\nfloat16
  torch._utils\n_rebuild_tensor_v2 torch._utils\n_rebuild_tensor_v3 torch._utils\n_rebuild_parameter
  torch._tensor\n_rebuild_from_type_v2 torch.nn.parameter\nParameter numpy\ndtype numpy\nndarray
  numpy.core.multiarray\n_reconstruct numpy.core.multiarray\nscalar numpy._core.numeric\n_frombuffer
  _codecs\nencode builtins\nset builtins\ndict builtins\nlist builtins\ntuple builtins\nbytearray
  builtins\ngetattr some.where\nThing os\nsystem`
  .split(/ +|\n {2}/)
  .filter((name) => name.includes('\n'));

/** A whole tensor of storage 0, sound but for its numbers. */
const TENSORS = [4, 16, 17].flatMap((elements) =>
  [0, 1, 12].map(
    (offset) =>
      'ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu' +
      `K${String.fromCharCode(elements)}tQK${String.fromCharCode(offset)}K\x02K\x02\x86K\x02K\x01\x86\x89Ntr`.replace(
        /r$/,
        'R',
      ),
  ),
);

function littleEndian(value: number, width: number): string {
  return Array.from({ length: width }, (_, i) => String.fromCharCode((value >>> (8 * i)) & 0xff)).join('');
}

const SOUND_HEADER = {
  a: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] },
  b: { dtype: 'F16', shape: [4], data_offsets: [16, 24] },
};
const SOUND_LENGTH = 24;

/** Some fields of a tensor in the header, right or wrong. */
function descriptions(): fc.Arbitrary<object> {
  const size = fc.oneof(fc.integer({ min: -1, max: 9 }), fc.constantFrom(2 ** 31, 2 ** 53, 1e300, 0.5, '4'));
  const offset = fc.oneof(fc.constantFrom(0, 4, 8, 16, 24), size);
  return fc.record(
    {
      dtype: fc.constantFrom(
        'F32',
        'F16',
        'BF16',
        'I64',
        'BOOL',
        'U64',
        'F8_E4M3',
        '__proto__',
        'constructor',
      ),
      shape: fc.array(size, { maxLength: 3 }),
      data_offsets: fc.array(offset, { minLength: 1, maxLength: 3 }),
    },
    { requiredKeys: [] },
  );
}

async function recordsOf(file: Uint8Array): Promise<[string, Uint8Array][] | undefined> {
  try {
    const records = await readZipDirectory(memorySource('corpus', file));
    const stored = [...records.values()].filter(
      ({ isDeflated, headerOffset }) => !isDeflated && headerOffset < file.length,
    );
    return stored.map(({ name, size, headerOffset }) => {
      const view = new DataView(file.buffer, file.byteOffset);
      const start =
        headerOffset + 30 + view.getUint16(headerOffset + 26, true) + view.getUint16(headerOffset + 28, true);
      return [name, file.slice(start, start + size)];
    });
  } catch {
    return undefined;
  }
}

function filesOf(folder: string): Uint8Array[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.json'))
    .map((entry) => new Uint8Array(readFileSync(join(folder, entry.name))));
}
