/**
 * The autoencoders seen from the pipeline: a cut-out face as bytes [B, H, W, 3] RGB goes to the latents that the
 * UNet takes, and the latents that it gives go to bytes.
 */
import { concat } from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';
import { bytesOfSigned, bytesOfUnit, maskedLowerHalf, signedPicture, unitPicture } from './pictures.ts';
import { taesdDecoder, taesdEncoder } from './taesd.ts';
import type { VaeConfig } from './vae.ts';
import { latentMean, latentSample, SD_VAE, unscaled, vaeDecoder, vaeEncoder } from './vae.ts';

/** Standard normal numbers for both pictures; without them the latents are the most likely ones. */
export interface LatentNoise {
  /** [B, 4, H/8, W/8] each. */
  masked: Value;
  reference: Value;
}

/**
 * A face to what the UNet sees of it: the picture with its lower half blacked, then the whole picture.
 *
 * face: bytes [B, H, W, 3] → scaled latents [B, 8, H/8, W/8]
 */
export function faceToLatents(
  w: Weights,
  face: Value,
  config: VaeConfig = SD_VAE,
  noise?: LatentNoise,
): Value {
  const whole = unitPicture(face);
  const encode = (picture: Value, drawn: Value | undefined) => {
    const moments = vaeEncoder(w, signedPicture(picture), config);
    return drawn ? latentSample(moments, drawn, config) : latentMean(moments, config);
  };
  return concat([encode(maskedLowerHalf(whole), noise?.masked), encode(whole, noise?.reference)], 1);
}

/** The UNet's latents [B, 4, h, w] as bytes [B, 8 h, 8 w, 3]. */
export function latentsToFace(w: Weights, latents: Value, config: VaeConfig = SD_VAE): Value {
  return bytesOfSigned(vaeDecoder(w, unscaled(latents, config), config));
}

/** {@link faceToLatents} by the tiny autoencoder; `w` is the scope of its encoder. */
export function faceToLatentsTiny(w: Weights, face: Value): Value {
  const whole = unitPicture(face);
  return concat([taesdEncoder(w, maskedLowerHalf(whole)), taesdEncoder(w, whole)], 1);
}

/** {@link latentsToFace} by the tiny autoencoder, a twentieth of the work; `w` is the scope of its decoder. */
export function latentsToFaceTiny(w: Weights, latents: Value): Value {
  return bytesOfUnit(taesdDecoder(w, latents));
}
