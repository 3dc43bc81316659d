/**
 * The networks, as functions from weights and values to values: no images, files or sessions.
 *
 * @module
 */
export { bisenet, bisenetInput, faceClasses, PARSING_SIZE } from './bisenet.ts';
export { attention, multiHeadAttention } from './blocks/attention.ts';
export { type ResnetBlockOptions, resnetBlock2d } from './blocks/resnet.ts';
export { transformer2d } from './blocks/transformer.ts';
export { FACE_MESH_POINTS, FACE_MESH_SIZE, faceMesh } from './face-mesh.ts';
export * from './faces.ts';
export { rtmpose, rtmposeInput, rtmposeWithFlip, type SimccVectors } from './rtmpose.ts';
export { type S3fdMaps, s3fd, s3fdInput } from './s3fd.ts';
export { type TaesdOptions, taesdDecoder, taesdEncoder } from './taesd.ts';
export { MUSETALK_UNET, readUnetConfig, type UnetConfig, unet } from './unet.ts';
export {
  latentMean,
  latentSample,
  readVaeConfig,
  SD_VAE,
  type VaeConfig,
  vaeDecoder,
  vaeEncoder,
  vaeName,
} from './vae.ts';
export {
  WHISPER_TINY,
  type WhisperConfig,
  whisperConfigOf,
  whisperEncoder,
  whisperName,
  whisperStates,
} from './whisper-encoder.ts';
