/**
 * The library: a face that speaks any recording.
 *
 * `dub` does it in one call. The steps behind it are here too: `openVideo` and `readSound` read, `openLipModel` and
 * `openFinder` load networks, `prepareAvatar` does what depends on the video alone, `speak` what depends on the sound.
 *
 * @module
 */
export type { Avatar, PrepareOptions } from './avatar/prepare.ts';
export { prepareAvatar } from './avatar/prepare.ts';
export type { SpeakOptions, Spoken, Step } from './avatar/speak.ts';
export { speak } from './avatar/speak.ts';
export type { Box, Point } from './core/box.ts';
export type { ErrorCode, ErrorDetails } from './core/errors.ts';
export { ERROR_CODES, MuseTalkError } from './core/errors.ts';
export type { FloatTensor, Tensor } from './core/tensor.ts';
export type { DubReport } from './dub/dub.ts';
export { dub } from './dub/dub.ts';
export { openFinder } from './dub/faces.ts';
export type { DubRun } from './dub/prepare-dub.ts';
export type { Preview, PreviewRun } from './dub/preview.ts';
export { preview } from './dub/preview.ts';
export type { DubProgress, DubStage } from './dub/progress.ts';
export type { FaceChoice, FaceFinder, FoundFace, FrameFace } from './face/finder.ts';
export type { Image } from './image/image.ts';
export type { LipModel } from './lips/lip-model.ts';
export type { ModelSettings, OpenModelOptions } from './lips/open-model.ts';
export { openLipModel } from './lips/open-model.ts';
export { openVideo } from './media/open-video.ts';
export { readSound } from './media/read-sound.ts';
export type { Frame, SoundSource, VideoSource } from './media/source.ts';
export { checkOptions } from './options/check.ts';
export type { DubInput, DubOptions, DubSettings } from './options/dub.ts';
export { dubOptions, dubSettings } from './options/dub.ts';
