import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zipOf } from '../../../test/zip.ts';
import { MuseTalkError } from '../../core/errors.ts';
import { memorySource } from './byte-source.ts';
import { openSource } from './open-checkpoint.ts';
import { runPickle } from './pickle.ts';
import { PickleGlobal, PickleObject } from './pickle-objects.ts';
import { NumpyArray, pythonClasses } from './python-classes.ts';

// Programs are written by hand, opcode by opcode (Python's pickletools.dis prints them the same way).

const CASES: readonly (readonly [what: string, program: string, value: unknown])[] = [
  [
    'numbers of protocol 0',
    '(I5\nI-7\nI00\nI01\nL12L\nF1.5\nFinf\nt.',
    [5, -7, false, true, 12, 1.5, Infinity],
  ],
  ['binary numbers', '(J\xff\xff\xff\xffK\xffM\x01\x02G\xbf\xf8\0\0\0\0\0\0t.', [-1, 255, 513, -1.5]],
  ['long integers', '(\x8a\0\x8a\x01\xff\x8a\x02\xff\0t.', [0, -1, 255]],
  ['integers beyond doubles', '\x8a\x09\0\0\0\0\0\0\0\0\x01.', 2n ** 64n],
  ['integers just within doubles', 'L9007199254740991L\n.', Number.MAX_SAFE_INTEGER],
  ['strings of Python 2', "(S'a\\n\\x41\\''\nS\"b\"\nU\x02\xe9!T\x01\0\0\0xt.", ["a\nA'", 'b', 'é!', 'x']],
  ['unicode', '(Va\\u00e9\nX\x02\0\0\0\xc3\xa9\x8c\x01z\x8d\x01\0\0\0\0\0\0\0yt.', ['aé', 'é', 'z', 'y']],
  ['lists', '(](I1\nI2\ne(lI3\nat.', [[1, 2], [3]]],
  [
    'dicts',
    '(}(I1\nI2\nu(I3\nI4\ndI5\nI6\nst.',
    [
      new Map([[1, 2]]),
      new Map([
        [3, 4],
        [5, 6],
      ]),
    ],
  ],
  ['sets', '(\x8f(I1\n\x90(I1\nI2\n\x91t.', [new Set([1]), new Set([1, 2])]],
  ['the memo', 'I1\np0\n0I2\nq\x01r\x02\0\0\0\x940(g0\nh\x01j\x02\0\0\0h\x03t.', [1, 2, 2, 2]],
  ['the stack', 'I1\n(I2\n1I3\n2\x86\x86.', [1, [3, 3]]],
  ['OrderedDict of pairs', 'ccollections\nOrderedDict\n((X\x01\0\0\0aI1\nt\x85tR.', new Map([['a', 1]])],
  [
    'bytes in protocol 2',
    'c_codecs\nencode\n(X\x03\0\0\0\0\xc3\xbfX\x06\0\0\0latin1tR.',
    Uint8Array.of(0, 255),
  ],
  [
    'a state that a dict is given is left out',
    'ccollections\nOrderedDict\n)R}X\x09\0\0\0_metadataI1\nsb.',
    new Map(),
  ],
];

for (const [what, program, value] of CASES) {
  test(`reads ${what}`, () => assert.deepEqual(run(program), value));
}

test('objects of unknown classes are kept as they were described', () => {
  for (const program of [
    '(I1\nia.b\nC\n.',
    '(ca.b\nC\nI1\no.',
    'ca.b\nC\n(I1\nt\x81.',
    '\x8c\x03a.b\x8c\x01C\x93I1\n\x85R.',
  ]) {
    const object = run(program);
    assert.ok(object instanceof PickleObject && object.type instanceof PickleGlobal, program);
    assert.equal(object.className, 'a.b.C');
    assert.deepEqual(object.args, [1]);
  }
});

test('numbers and arrays of NumPy are read, in both byte orders and both orders of axes', () => {
  const type = (code: string, order: string) =>
    `cnumpy\ndtype\n(U\x02${code}I0\nI1\ntR(I3\nU\x01${order}NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffI0\ntb`;
  assert.equal(run(`cnumpy.core.multiarray\nscalar\n(${type('i4', '<')}U\x04\xfe\xff\xff\xfftR.`), -2);
  assert.equal(run(`cnumpy._core.multiarray\nscalar\n(${type('f8', '>')}U\x08\x3f\xf8\0\0\0\0\0\0tR.`), 1.5);
  assert.equal(run(`cnumpy._core.multiarray\nscalar\n(${type('f2', '<')}U\x02\0\x3ctR.`), 1);
  const array = run(
    `cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR(I1\n(I2\nI2\nt${type('i1', '|')}I01\nU\x04\x01\x02\x03\x04tb.`,
  );
  assert.ok(array instanceof NumpyArray);
  assert.deepEqual(array.tensor, { dtype: 'int8', shape: [2, 2], data: Int8Array.of(1, 3, 2, 4) });
});

const ACTING = [
  'os\nsystem',
  'posix\nsystem',
  'builtins\nexec',
  '__builtin__\neval',
  'subprocess\nPopen',
  'torch\nload',
  'torch.hub\nload',
  'torch\nserialization.os.system',
  'some.module\nos.system',
  'runpy\n_run_code',
  'sys\nmodules',
  'importlib\nimport_module',
  'torch.jit\nload',
  'numpy\nload',
  'webbrowser\nopen',
  'builtins\n__import__',
  'socket\ncreate_connection',
  'numpy.f2py.crackfortran\nmyeval',
  'torch._dynamo.guards\nGuardBuilder.get',
  'ctypes\nCDLL',
  'pickle\nloads',
  'marshal\nloads',
];

test('a name that can act makes the whole file suspect, whether or not it is used', () => {
  for (const name of ACTING) {
    assert.throws(() => run(`c${name}\n0N.`), { code: 'BAD_FILE', message: /refused.*can act/ }, name);
  }
  const harmless =
    'builtins\nset __builtin__\ngetattr mmengine.logging.history_buffer\nHistoryBuffer torch.optim.adam\nAdam pathlib\nPosixPath';
  for (const name of harmless.split(' ')) run(`c${name}\n.`);
});

// Small files that would take hours or gigabytes if every repetition were followed.
const BOMBS: readonly (readonly [what: string, program: () => string])[] = [
  [
    'a long list made into a set again and again',
    () => `${longList()}q\0\x85q\x010${'cbuiltins\nset\nh\x01R0'.repeat(100_000)}N.`,
  ],
  [
    'a long text encoded again and again',
    () =>
      `X${int(4_000_000)}${'x'.repeat(4_000_000)}\x85q\x010${'c_codecs\nencode\nh\x01R0'.repeat(100_000)}N.`,
  ],
  ['lists of twice the list before, around a tensor', () => `${tensor()}${'q\0](h\0h\0e'.repeat(40)}.`],
  [
    'a long list with a tensor, seen from many places',
    () => `(${'N'.repeat(200_000)}${tensor()}lq\0(${'h\0'.repeat(100_000)}l.`,
  ],
  ['millions of dicts', () => `(${'}'.repeat(2_000_000)}l.`],
  ['millions of memo entries', () => `N${'\x94'.repeat(4_000_000)}.`],
  [
    'a tensor under a name of megabytes, repeated',
    () => `(${tensor()}q\0${'h\0'.repeat(1000)}lq\x01}X${int(4_000_000)}${'x'.repeat(4_000_000)}h\x01s.`,
  ],
  ['a list that is its own key', () => ']q\0h\0a0}h\0h\0s.'],
];

for (const [what, program] of BOMBS) {
  test(`is not caught by ${what}`, async () => {
    const bytes = zipOf([
      ['a/data.pkl', binary(`\x80\x02${program()}`)],
      ['a/data/0', new Uint8Array(64)],
    ]);
    const started = performance.now();
    await openSource(memorySource('bomb', bytes), 'a checkpoint').catch((error) => {
      assert.ok(error instanceof MuseTalkError, String(error));
    });
    assert.ok(performance.now() - started < 10_000, `took ${performance.now() - started} ms`);
  });
}

function run(program: string): unknown {
  const bytes = binary(program);
  const { value, end } = runPickle('a pickle', bytes, pythonClasses('a pickle'));
  assert.equal(end, bytes.length);
  return value;
}

function longList(): string {
  return `(${'N'.repeat(500_000)}l`;
}

/** One float of storage 0. */
function tensor(): string {
  return 'ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x10tQK\0))\x89NtR';
}

function int(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes.toString('latin1');
}

function binary(program: string): Uint8Array {
  return new Uint8Array(Buffer.from(program, 'latin1'));
}
