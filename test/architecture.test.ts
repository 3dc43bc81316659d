// The architecture as a test: ARCHITECTURE.md says in words what the tables below say in names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Import, importsOf, sourcesUnder, textOf } from './sources.ts';

/** From the ground up. A folder may import from earlier rows and from itself, never sideways or up. */
const LAYERS = [
  ['core'],
  ['image'],
  ['media', 'options', 'nn', 'models'],
  ['networks'],
  ['sound', 'face', 'compositing'],
  ['lips'],
  ['avatar'],
  ['dub', 'live', 'train', 'report'],
  ['server'],
  ['cli'],
];

/** Runs in a browser as it stands: no modules of Node, and packages only that need none either. */
const PURE = [
  ...['core/', 'image/', 'options/', 'networks/', 'compositing/'],
  ...['value', 'layers', 'gradients', 'weights', 'adam', 'onnx-writer', 'seeded-weights', 'tflite-graph'].map(
    nn,
  ),
  ...['nn/ops/', 'nn/gradients/', 'nn/weights/frozen.ts', 'nn/weights/match-weights.ts'],
  ...['fft', 'mel', 'mel-blocks', 'levelled-mel', 'windows', 'upstream-windows', 'silence', 'features'].map(
    sound,
  ),
  ...['crop-box', 'cuts', 'landmarks68', 'lip-measure', 'similarity', 'smooth', 'steady-box', 'track'].map(
    face,
  ),
];
const PURE_PACKAGES = ['zod', 'yaml'];

/** Who alone may import what. */
const OWNERS: Readonly<Record<string, RegExp>> = {
  'onnxruntime-node': /^src\/nn\/(session|trainer)-worker\.ts$/,
  sharp: /^src\/media\//,
  commander: /^src\/cli\//,
  fastify: /^src\/server\//,
};

const sources = sourcesUnder('src');
const imports = sources.flatMap(importsOf);

test('imports go only towards the ground', () => {
  const rows = new Map(LAYERS.flatMap((row, i) => row.map((folder) => [folder, i])));
  for (const { file, target } of imports) {
    const [from, to] = [folderOf(file), folderOf(target)];
    if (from === undefined || to === undefined || from === to) continue;
    const [above, below] = [rows.get(from), rows.get(to)];
    assert.ok(above !== undefined, `src/${from} has no row in the table above`);
    assert.ok(below !== undefined && below < above, `${file} may not import ${target}`);
  }
});

test('nothing in src imports from outside it', () => {
  for (const { file, target } of imports) {
    assert.ok(!/^(?:\.\.|\.\/|test|bench|examples|scripts|web)(?:\/|$)/.test(target), `${file}: ${target}`);
  }
});

test('files do not import each other in a circle', () => {
  const targets = new Map<string, string[]>();
  for (const { file, target, typeOnly } of imports) {
    if (!typeOnly && target.startsWith('src/')) targets.set(file, [...(targets.get(file) ?? []), target]);
  }
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `a circle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
    if (done.has(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
});

test('the pure part knows nothing of Node, however far one follows its imports', () => {
  const seen = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { target, typeOnly } of importsOf(file)) {
      const way = [...path, file, target].join(' → ');
      if (typeOnly) continue;
      if (target.startsWith('src/')) visit(target, [...path, file]);
      else assert.ok(PURE_PACKAGES.includes(target), `not pure: ${way}`);
    }
  };
  const pure = sources.filter(isPure);
  for (const start of PURE)
    assert.ok(
      pure.some((file) => file.startsWith(`src/${start}`)),
      `no src/${start}`,
    );
  for (const file of pure) visit(file, []);
});

test('FFmpeg, the engine, the decoder of pictures and the flags each have one home', () => {
  for (const { file, target, typeOnly } of imports) {
    const owner = OWNERS[target];
    assert.ok(typeOnly || !owner || owner.test(file), `${file} may not import ${target}`);
  }
  const starters = new Set(
    imports.filter(({ target }) => target === 'node:child_process').map(({ file }) => file),
  );
  const others = [...starters].filter((file) => !file.startsWith('src/media/'));
  // A process of its own to try a provider that may bring it down, and the workers of the service.
  for (const file of others) assert.match(file, /^src\/(?:nn\/providers|server\/.*)\.ts$/);
  for (const file of others) assert.doesNotMatch(textOf(file), /['"`]ff(?:mpeg|probe)/, file);
});

test('only the command line prints, reads arguments and ends the process', () => {
  // Programs of their own that others here start are asked by arguments and messages.
  const programs = /^src\/(?:cli\/|nn\/provider-probe|server\/work\/)/;
  for (const file of sources.filter((path) => !programs.test(path))) {
    assert.doesNotMatch(codeOf(file), /\bconsole\.\w|\bprocess\.(?:exit|argv|stdout|stderr)\b/, file);
  }
});

test('no folder is a drawer for what found no place', () => {
  for (const file of sources)
    assert.doesNotMatch(file, /(?:^|\/)(?:utils?|helpers?|common|misc)(?:\/|\.ts$)/);
});

function folderOf(path: Import['file']): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function isPure(file: string): boolean {
  return PURE.some((start) => file.startsWith(`src/${start}`));
}

function nn(name: string): string {
  return `nn/${name}.ts`;
}

function sound(name: string): string {
  return `sound/${name}.ts`;
}

function face(name: string): string {
  return `face/${name}.ts`;
}

/** A file without its comments. */
function codeOf(file: string): string {
  return textOf(file)
    .replace(/^\s*\/\*\*?[\s\S]*?\*\//gm, '')
    .replace(/(^|\s)\/\/.*$/gm, '$1');
}
