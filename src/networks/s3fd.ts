/**
 * S3FD, the face detector of upstream (Zhang et al. 2017, "S³FD: Single Shot Scale-invariant Face Detector"): a
 * VGG-16 with heads on six maps of halving size. 22,459,110 parameters; names as in `s3fd-619a316812.pth`.
 *
 * What its maps mean is in `s3fd-decode.ts`. The graph is built for one size of picture.
 */
import { conv2d } from '../nn/layers.ts';
import { add, div, mul, relu, sqrt, square } from '../nn/ops/arithmetic.ts';
import { maxPool } from '../nn/ops/conv.ts';
import { max, sum } from '../nn/ops/reduce.ts';
import { concat, flip, reshape, slice } from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import { fixed } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';
import { channelsFirst, standardised } from './pictures.ts';

/** The VGG part: channels and number of convolutions of each stage, a pool after each. */
const STAGES = [
  { out: 64, convolutions: 2 },
  { out: 128, convolutions: 2 },
  { out: 256, convolutions: 3 },
  { out: 512, convolutions: 3 },
  { out: 512, convolutions: 3 },
] as const;

/** Subtracted from the bytes, in the order of the channels that the network sees. */
const MEAN = [104, 117, 123];

/**
 * A picture as the network wants it. Upstream: the bytes come as RGB although the network was trained on BGR with
 * the same three means; it detects either way. `order: 'trained'` gives it what it was trained on.
 *
 * picture: bytes [B, H, W, 3], RGB → [B, 3, H, W]
 */
export function s3fdInput(
  picture: Value,
  { order = 'upstream' }: { order?: 'upstream' | 'trained' } = {},
): Value {
  const channels = channelsFirst(picture);
  return standardised(order === 'trained' ? flip(channels, 1) : channels, { mean: MEAN });
}

/** Class maps and box maps under the names `conf1`, `loc1` … `conf6`, `loc6`, finest first. */
export type S3fdMaps<T> = Record<`${'conf' | 'loc'}${1 | 2 | 3 | 4 | 5 | 6}`, T>;

/**
 * picture: [B, 3, H, W] (see {@link s3fdInput}), H and W numbers → for each level `conf` [B, 2, h, w], background
 * and face before the softmax, and `loc` [B, 4, h, w]
 */
export function s3fd(w: Weights, picture: Value): S3fdMaps<Value> {
  const maps: { name: string; map: Value }[] = [];
  let h = picture;
  for (const [i, { out, convolutions }] of STAGES.entries()) {
    for (let j = 1; j <= convolutions; j++) {
      h = relu(conv2d(w.at(`conv${i + 1}_${j}`), h, { out, kernel: 3, padding: 1 }));
    }
    if (i >= 2) {
      const name = `conv${i + 1}_3_norm`;
      maps.push({ name, map: l2Norm(w.at(name), h) });
    }
    h = maxPool(h, { kernel: 2 });
  }
  // The padding of 3 makes the map 4 larger than the pool's; the network was trained with it.
  h = relu(conv2d(w.at('fc6'), h, { out: 1024, kernel: 3, padding: 3 }));
  h = relu(conv2d(w.at('fc7'), h, { out: 1024, kernel: 1 }));
  maps.push({ name: 'fc7', map: h });
  h = relu(conv2d(w.at('conv6_1'), h, { out: 256, kernel: 1 }));
  h = relu(conv2d(w.at('conv6_2'), h, { out: 512, kernel: 3, stride: 2, padding: 1 }));
  maps.push({ name: 'conv6_2', map: h });
  h = relu(conv2d(w.at('conv7_1'), h, { out: 128, kernel: 1 }));
  h = relu(conv2d(w.at('conv7_2'), h, { out: 256, kernel: 3, stride: 2, padding: 1 }));
  maps.push({ name: 'conv7_2', map: h });
  return Object.fromEntries(
    maps.flatMap(({ name, map }, i) => heads(w, name, map, i + 1)),
  ) as S3fdMaps<Value>;
}

function heads(w: Weights, name: string, map: Value, level: number): [string, Value][] {
  const classes = level === 1 ? 4 : 2;
  const conf = conv2d(w.at(`${name}_mbox_conf`), map, { out: classes, kernel: 3, padding: 1 });
  const loc = conv2d(w.at(`${name}_mbox_loc`), map, { out: 4, kernel: 3, padding: 1 });
  return [
    [`conf${level}`, level === 1 ? maxOut(conf) : conf],
    [`loc${level}`, loc],
  ];
}

/** Max-out background label: the finest level has three kinds of background; the likeliest one counts. */
function maxOut(conf: Value): Value {
  return concat([max(slice(conf, 1, 0, 3), [1], { keep: true }), slice(conf, 1, 3, 4)], 1);
}

/** x / (‖x‖₂ + 10⁻¹⁰) · weight over the channels. */
function l2Norm(w: Weights, x: Value): Value {
  const channels = fixed(x, 1);
  const length = add(sqrt(sum(square(x), [1], { keep: true })), 1e-10);
  return mul(div(x, length), reshape(w.get('weight', [channels]), [1, channels, 1, 1]));
}
