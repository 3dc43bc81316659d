/** How the model that would draw frames a face: MuseTalk by landmarks and options, mini by the skull. */
import { landmarkMask } from '../compositing/landmark-mask.ts';
import { type BlendMask, enlargedBox, MASK_STYLES, parsingMask, trimMask } from '../compositing/masks.ts';
import type { Box, Point } from '../core/box.ts';
import { MuseTalkError } from '../core/errors.ts';
import { cropBox } from '../face/crop-box.ts';
import type { FaceFinder, FoundFace, NumberedImage } from '../face/finder.ts';
import { layoutBySkull, miniMask, wholePixels } from '../lips/mini-layout.ts';
import { isMini } from '../lips/mini-networks.ts';
import type { Parse } from '../lips/musetalk.ts';
import { modelName } from '../lips/open-model.ts';
import type { VideoSource } from '../media/source.ts';
import type { PreviewSettings } from '../options/preview.ts';
import { faceChoice } from './faces.ts';

/** Whose way of framing a face is shown. */
export type DrawnBy = 'mini' | '1.0' | '1.5';

/** A frame and the face that was chosen in it. */
export interface Shown {
  readonly frame: NumberedImage;
  readonly face: FoundFace;
  readonly faces: number;
}

/** Where mini would draw. */
export interface Skull {
  readonly box: Box;
  readonly landmarks: readonly Point[] | undefined;
}

/** All that a preview is drawn from. */
export interface Seen extends Shown {
  readonly video: VideoSource;
  readonly parse: Parse | undefined;
  /** Where mini would draw. */
  readonly skull: Skull | undefined;
  readonly settings: PreviewSettings;
  readonly signal: AbortSignal | undefined;
}

/** The box that is cut out, in whole pixels of the frame. */
export function boxOf({ face, skull, video: { width, height }, settings }: Seen, bboxShift: number): Box {
  if (skull) return wholePixels(skull.box);
  const version = versionOf(settings);
  const extraMargin = version === '1.5' ? settings.extraMargin : 0;
  const box = cropBox(face.landmarks, face.box, { version, bboxShift, extraMargin, width, height });
  if (box) return box;
  throw new MuseTalkError('NO_FACE', 'the face lies outside the picture');
}

/** How much of what is drawn shows. */
export async function maskOf(
  { frame, face, parse, skull, settings, signal }: Seen,
  box: Box,
): Promise<BlendMask> {
  if (skull) return miniMask(skull);
  if (!parse) return landmarkMask(face.landmarks, box);
  const version = versionOf(settings);
  const { parsingMode, leftCheekWidth, rightCheekWidth } = settings;
  const style = MASK_STYLES[version];
  const classes = await parse(frame, enlargedBox(box, style.expand), { signal });
  const region = version === '1.0' ? style.region : parsingMode;
  return trimMask(parsingMask(classes, box, { ...style, region, leftCheekWidth, rightCheekWidth }), box);
}

/** The model that would draw. @throws MuseTalkError BAD_OPTION for a sweep of a model that has nothing to sweep. */
export async function drawnByOf(settings: PreviewSettings): Promise<DrawnBy> {
  const name = await modelName(settings);
  if (name !== 'mini' && !(await isMini(name))) return versionOf(settings);
  if (!settings.sweep) return 'mini';
  if (settings.model === 'auto') return '1.5';
  throw new MuseTalkError('BAD_OPTION', 'mini frames a face by its skull: it has no shift to sweep', {
    hint: 'Leave out --sweep, or choose an official model with --model.',
  });
}

/** The generation of MuseTalk that the options mean. */
export function versionOf({ model, version }: PreviewSettings): '1.0' | '1.5' {
  const name = model === 'auto' ? (version ?? '') : model;
  return /(^|-)(v1|1\.0)$/.test(name) ? '1.0' : '1.5';
}

/** Frames to either side by which mini's box is steadied; a whole shot would give nearly the same. */
const STEADIED_BY = 12;

/** Box and landmarks of the frame as mini's own layout gives them. */
export async function bySkull(
  video: VideoSource,
  finder: FaceFinder,
  frame: number,
  { face: words }: PreviewSettings,
  signal: AbortSignal | undefined,
): Promise<Skull> {
  const first = Math.max(0, frame - STEADIED_BY);
  const frames = video.frames(first, Math.min(video.frameCount, frame + STEADIED_BY + 1));
  const { coords, landmarks } = await layoutBySkull(
    finder.find(frames, { choice: faceChoice(words) }, signal),
  );
  const box = coords[frame - first];
  if (box) return { box, landmarks: landmarks(frame - first) };
  throw noFace(frame, video);
}

/** The error for a frame without a face. */
export function noFace(index: number, video: VideoSource): MuseTalkError {
  return new MuseTalkError('NO_FACE', `frame ${index} of ${video.path} shows no face that could be used`, {
    hint: 'Choose another with --frame or --time.',
    facts: { frame: index },
  });
}
