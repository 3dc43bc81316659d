import type { FloatTensor } from '../core/tensor.ts';
import { sizeOf, tensor } from '../core/tensor.ts';
import type { Value } from '../nn/value.ts';

/**
 * First values of parameters, PyTorch's defaults: weights of layers uniform in ± 1 / √fan-in, weights of norms 1,
 * biases 0. Names that `zero` accepts start at 0, such as the last layer of a residual branch.
 *
 * @param random uniform numbers in 0 … 1
 */
export function initialWeights(
  parameters: ReadonlyMap<string, Value>,
  random: () => number,
  zero: (name: string) => boolean = () => false,
): Map<string, FloatTensor> {
  const initial = new Map<string, FloatTensor>();
  for (const [name, { shape }] of parameters) {
    const sizes = shape.map(Number);
    const value = tensor(sizes);
    if (sizes.length < 2) value.data.fill(isNormWeight(name) && !zero(name) ? 1 : 0);
    else if (!zero(name)) fill(value, random);
    initial.set(name, value);
  }
  return initial;
}

function fill({ shape, data }: FloatTensor, random: () => number): void {
  const reach = 1 / Math.sqrt(sizeOf(shape.slice(1)));
  for (let i = 0; i < data.length; i++) data[i] = (2 * random() - 1) * reach;
}

function isNormWeight(name: string): boolean {
  return name.endsWith('weight');
}
