/**
 * Both ends of the networks that see pictures. Inside a graph pictures are floats, channels first; across its
 * border go bytes: [B, H, W, 3], RGB.
 */
import { add, cast, clip, div, mul, round, sub } from '../nn/ops/arithmetic.ts';
import { transpose } from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import { constant, fixed } from '../nn/value.ts';

/** Bytes [B, H, W, 3] → [B, 3, H, W] in 0 … 1. */
export function unitPicture(bytes: Value): Value {
  return div(channelsFirst(bytes), 255);
}

/** Bytes [B, H, W, 3] → [B, 3, H, W] in 0 … 255. */
export function channelsFirst(bytes: Value): Value {
  return transpose(cast(bytes, 'float32'), [0, 3, 1, 2]);
}

/** (picture − mean) / deviation for each channel of [B, 3, H, W]. */
export function standardised(
  picture: Value,
  { mean, deviation = [1, 1, 1] }: { mean: readonly number[]; deviation?: readonly number[] },
): Value {
  return div(sub(picture, perChannel(mean)), perChannel(deviation));
}

/** 0 … 1 to the −1 … 1 that the autoencoder sees. */
export function signedPicture(picture: Value): Value {
  return div(sub(picture, 0.5), 0.5);
}

/**
 * The lower half of a picture black: rows from H/2 (rounded down) are 0. To be applied to 0 … 1, so that the half
 * becomes −1 for the autoencoder.
 */
export function maskedLowerHalf(picture: Value): Value {
  const height = fixed(picture, 2);
  const rows = Float32Array.from({ length: height }, (_, row) => (row < Math.floor(height / 2) ? 1 : 0));
  return mul(picture, constant({ dtype: 'float32', shape: [1, 1, height, 1], data: rows }));
}

/** What the autoencoder gives, about −1 … 1 [B, 3, H, W], as bytes [B, H, W, 3]; halves go to the even byte. */
export function bytesOfSigned(picture: Value): Value {
  return bytesOfUnit(add(mul(picture, 0.5), 0.5));
}

/** A picture of about 0 … 1 [B, 3, H, W] as bytes [B, H, W, 3]. */
export function bytesOfUnit(picture: Value): Value {
  const rounded = round(mul(clip(picture, 0, 1), 255));
  return transpose(cast(rounded, 'uint8'), [0, 2, 3, 1]);
}

function perChannel(numbers: readonly number[]): Value {
  return constant({
    dtype: 'float32',
    shape: [1, numbers.length, 1, 1],
    data: Float32Array.from(numbers),
  });
}
