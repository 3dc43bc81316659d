import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MuseTalkError } from '../../core/errors.ts';
import { sizeOf } from '../../core/tensor.ts';
import { type Checkpoint, checkpointOf, contiguousStrides } from './checkpoint.ts';
import { matchWeights } from './match-weights.ts';
import { stateDict } from './state-dict.ts';

type Shapes = Readonly<Record<string, readonly number[]>>;

const NET: Shapes = { 'a.weight': [2, 2], 'a.bias': [2], 'b.weight': [4], 'b.num_batches_tracked': [] };
const network = 'the test network';

test('wrappers, other things beside the weights, and prefixes are looked through', () => {
  const wrappings: Shapes[] = [
    NET,
    renamed(NET, (name) => `module.${name}`),
    renamed(NET, (name) => `state_dict/${name}`),
    renamed(NET, (name) => `model/state_dict/module.${name}`),
    { ...renamed(NET, (name) => `state_dict/module.${name}`), 'optimizer/state/0/exp_avg': [2, 2] },
    { ...renamed(NET, (name) => `net/unet.${name}`), step: [] },
  ];
  for (const shapes of wrappings) {
    assert.deepEqual([...stateDict(holding(shapes)).entries.keys()], Object.keys(NET));
  }
});

test('averaged weights are taken only where they are asked for', () => {
  const both = { 'state_dict/w': [1], 'ema/w': [2] };
  assert.deepEqual(stateDict(holding(both)).entries.get('w')?.shape, [1]);
  assert.deepEqual(stateDict(holding(both), { averaged: true }).entries.get('w')?.shape, [2]);
});

test('a checkpoint that fits is seen with the names and shapes of the network', async () => {
  const file = holding(renamed({ ...NET, 'a.weight': [2, 2, 1, 1] }, (name) => `state_dict/module.${name}`));
  const weights = matchWeights(file, expected(NET), { network });
  assert.deepEqual(weights.entries.get('a.weight')?.shape, [2, 2]);
  assert.deepEqual(weights.entries.get('a.weight')?.strides, [2, 1]);
  assert.deepEqual((await weights.readFloat('a.weight')).shape, [2, 2]);
});

test('counters of batch norms may be missing, and other tensors where that is allowed', () => {
  const { 'b.num_batches_tracked': _, ...old } = NET;
  assert.equal(matchWeights(holding(old), expected(NET), { network }).entries.size, 3);
  const { 'b.weight': __, ...less } = old;
  const optional = (name: string) => name.startsWith('b.');
  assert.equal(matchWeights(holding(less), expected(NET), { network, optional }).entries.size, 2);
});

test('what is known to be more is left out, what is not known is reported', () => {
  const more = { ...NET, 'decoder.x': [1], 'decoder.y': [1] };
  const ignored = (name: string) => name.startsWith('decoder.');
  assert.equal(matchWeights(holding(more), expected(NET), { network, ignored }).entries.size, 4);
  assert.throws(() => matchWeights(holding(more), expected(NET), { network }), {
    code: 'BAD_WEIGHTS',
    message:
      'weights.pth: the weights do not fit the test network: 2 are unexpected ("decoder.x", "decoder.y")',
  });
});

test('missing tensors and other shapes are counted, and the first few named', () => {
  const { 'a.bias': _, ...rest } = NET;
  assert.throws(() => matchWeights(holding({ ...rest, 'b.weight': [5] }), expected(NET), { network }), {
    code: 'BAD_WEIGHTS',
    message:
      'weights.pth: the weights do not fit the test network: 1 tensors are missing ("a.bias"); ' +
      '1 have another shape ("b.weight" [5] instead of [4])',
  });
});

test('a renaming for older files is used only for names that the network does not know', () => {
  const old = renamed(NET, (name) => name.replace('a.', 'old.'));
  const rename = (name: string) => name.replace('old.', 'a.');
  assert.equal(matchWeights(holding(old), expected(NET), { network, rename }).entries.size, 4);
});

test('"model." is added or taken away where the network wants it', () => {
  const prefixed = renamed(NET, (name) => `model.${name}`);
  const options = { network, ignored: (name: string) => name === 'proj_out.weight' };
  const withMore = { ...prefixed, 'proj_out.weight': [9] };
  assert.equal(matchWeights(holding(withMore), expected(NET), options).entries.size, 4);
  assert.equal(matchWeights(holding(NET), expected(prefixed), options).entries.size, 4);
});

test('another network is named, with its version', () => {
  const whisper: Shapes = {
    'encoder.conv1.weight': [512, 80, 3],
    'encoder.positional_embedding': [1500, 512],
  };
  const file = holding(renamed(whisper, (name) => `model_state_dict/${name}`));
  assert.throws(() => matchWeights(file, expected(NET), { network }), {
    code: 'WRONG_FILE',
    message: 'weights.pth: this is Whisper in the layout of OpenAI (base); expected the test network',
  });
  const stranger = holding({ x: [1] });
  assert.throws(
    () => matchWeights(stranger, expected(NET), { network }),
    (error) => error instanceof MuseTalkError && /another network \(3 of 4/.test(error.message),
  );
});

test('the right network in another version gets a hint of what it looks like', () => {
  const unet: Shapes = {
    'conv_in.weight': [320, 8, 3, 3],
    'time_embedding.linear_1.weight': [1280, 320],
    'mid_block.resnets.0.conv1.weight': [1280, 1280, 3, 3],
  };
  const other = { ...unet, 'conv_in.weight': [320, 4, 3, 3] };
  assert.throws(
    () => matchWeights(holding(other), expected(unet), { network: 'the UNet of MuseTalk' }),
    (error) =>
      error instanceof MuseTalkError && /looks like a diffusion UNet \(of Stable/.test(error.hint ?? ''),
  );
});

function holding(shapes: Shapes): Checkpoint {
  const path = 'weights.pth';
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    const location = { path, offset: 0, length: 4 * sizeOf(shape) };
    const entry = {
      name,
      dtype: 'float32' as const,
      shape,
      strides: contiguousStrides(shape),
      location,
      inPlace: true,
    };
    const data = new Float32Array(sizeOf(shape));
    return [name, { entry, read: async () => ({ dtype: 'float32' as const, shape, data }) }] as const;
  });
  const close = async () => {};
  return checkpointOf({ path, format: 'pytorch-zip', tensors: new Map(tensors), metadata: new Map(), close });
}

function expected(shapes: Shapes): Map<string, readonly number[]> {
  return new Map(Object.entries(shapes));
}

function renamed(shapes: Shapes, rename: (name: string) => string): Shapes {
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [rename(name), shape]));
}
