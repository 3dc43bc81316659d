/**
 * The weighted mean of the weights of encoders that were learnt one from the other: steadier than the last of them.
 *
 *     node --import tsx scripts/mini/mean-weights.ts OUT FILE=SHARE...
 */
import type { FloatTensor } from '../../src/core/tensor.ts';
import { tensor } from '../../src/core/tensor.ts';
import { openCheckpoint } from '../../src/nn/weights/open-checkpoint.ts';
import { writeSafetensors } from '../../src/nn/weights/write-safetensors.ts';

const [out, ...parts] = process.argv.slice(2) as [string, ...string[]];
const shares = parts.map((part) => part.split('=') as [file: string, share: string]);
const total = shares.reduce((sum, [, share]) => sum + Number(share), 0);
const mean = new Map<string, FloatTensor>();
for (const [file, share] of shares) {
  const checkpoint = await openCheckpoint(file);
  for (const name of checkpoint.entries.keys()) {
    const { shape, data } = await checkpoint.readFloat(name);
    const sum = mean.get(name) ?? tensor(shape);
    for (let i = 0; i < data.length; i++) sum.data[i]! += (Number(share) / total) * data[i]!;
    mean.set(name, sum);
  }
}
await writeSafetensors(
  out,
  [...mean].map(([name, value]) => ({ name, tensor: value })),
);
