/**
 * The mouth discriminator of mini: tells drawn mouths from real ones while the picture network is trained.
 *
 * Five convolutions with spectral normalisation (Miyato et al. 2018): each weight is divided by its largest
 * singular value, estimated by one step of power iteration from a vector `u` that is kept between steps.
 * 0.3 M parameters.
 */
import { add, div, leakyRelu, mul, sqrt } from '../nn/ops/arithmetic.ts';
import { conv, matmul } from '../nn/ops/conv.ts';
import { sumAll } from '../nn/ops/reduce.ts';
import { reshape, transpose } from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import { fixed } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';

interface Layer {
  readonly out: number;
  readonly kernel: number;
  readonly stride: number;
}

const LAYERS: readonly Layer[] = [
  { out: 32, kernel: 4, stride: 2 },
  { out: 64, kernel: 4, stride: 2 },
  { out: 128, kernel: 4, stride: 2 },
  { out: 128, kernel: 3, stride: 1 },
  { out: 1, kernel: 3, stride: 1 },
];

/** The sizes of the vectors `u`, one for each layer. */
export const CRITIC_VECTORS: readonly number[] = LAYERS.map(({ out }) => out);

/** What a critic says of a batch of mouths. */
export interface Judgement {
  /** Realness of each patch, [B, 1, h, w]. */
  readonly score: Value;
  /** What the four hidden layers saw. */
  readonly features: readonly Value[];
}

/** A discriminator that is ready to judge. */
export interface Critic {
  /** The vectors `u` after one step of iteration, [out, 1] each. */
  readonly vectors: readonly Value[];
  /** mouth: [B, 3, H, W] in −1 … 1 */
  judge(mouth: Value): Judgement;
}

/** The discriminator with its weights normalised by the vectors `u` of its layers, [out, 1] each. */
export function miniCritic(w: Weights, vectors: readonly Value[]): Critic {
  const layers = LAYERS.map(({ out, kernel, stride }, i) => {
    const weight = w.at(i).get('weight', [out, LAYERS[i - 1]?.out ?? 3, kernel, kernel]);
    const { u, sigma } = powerStep(weight, vectors[i]!);
    return { weight: div(weight, sigma), bias: w.at(i).get('bias', [out]), stride, u };
  });
  return {
    vectors: layers.map(({ u }) => u),
    judge(mouth) {
      const maps: Value[] = [];
      for (const { weight, bias, stride } of layers) {
        const before = maps.at(-1);
        maps.push(conv(before ? leakyRelu(before, 0.2) : mouth, weight, bias, { stride, padding: 1 }));
      }
      return { score: maps.at(-1)!, features: maps.slice(0, -1) };
    },
  };
}

/** v = Wᵀu / |Wᵀu|, u' = W v / |W v|, σ = u'ᵀ W v. */
function powerStep(weight: Value, u: Value): { u: Value; sigma: Value } {
  const out = fixed(weight, 0);
  const inner = weight.shape.slice(1).reduce<number>((all, dim) => all * Number(dim), 1);
  const matrix = reshape(weight, [out, inner]);
  const v = unit(matmul(transpose(matrix, [1, 0]), u));
  const product = matmul(matrix, v);
  const next = unit(product);
  return { u: next, sigma: sumAll(mul(next, product)) };
}

function unit(vector: Value): Value {
  return div(vector, sqrt(add(sumAll(mul(vector, vector)), 1e-12)));
}
