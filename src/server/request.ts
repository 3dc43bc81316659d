/** From what a client wrote, in its own words or in those of other services, to one form. */
import { MuseTalkError } from '../core/errors.ts';
import type { ClientOptions, DubRequest, PreviewRequest } from './protocol.ts';

/** Where an input comes from: one of the two. */
export type Source = { readonly upload: string } | { readonly url: string };

/** A part of a video that gets a sound of its own. */
export interface SegmentPlan {
  /** Seconds of the video. */
  readonly start: number;
  readonly end: number;
  /** Which of the sounds, and from which second of it to which. */
  readonly sound: number;
  readonly from: number;
  readonly to: number | undefined;
}

/** A dub in one form. */
export interface DubPlan {
  readonly video: Source;
  /** One; with segments as many as they name. */
  readonly sounds: readonly Source[];
  readonly segments: readonly SegmentPlan[];
  readonly settings: ClientOptions;
  /** A box or null for each frame, where the client gave them. */
  readonly boxes: readonly (readonly number[] | null)[] | undefined;
  readonly format: 'mp4' | 'mov' | 'mkv' | 'webm';
  readonly name: string | undefined;
  readonly webhook: string | undefined;
  readonly warnings: readonly string[];
}

/**
 * What a request means.
 *
 * @throws MuseTalkError BAD_OPTION where it contradicts itself or lacks something.
 */
export function planOf(request: DubRequest): DubPlan {
  const { video, sounds, names } = inputsOf(request);
  const segments = (request.segments ?? []).map((given, i) => segmentOf(given, i, names));
  if (segments.length === 0 && sounds.length !== 1)
    throw bad('input', 'there is more than one audio, and no segments say where each belongs');
  checkOverlap(segments);
  const name = request.name ?? request.outputFileName;
  return {
    ...{ video, sounds, segments },
    ...readOptions(request.options, request.model),
    name: name === undefined ? undefined : displayText(name),
    webhook: request.webhookUrl,
  };
}

/** The settings of a request, words of other services turned into ours. */
export function readOptions(
  options: DubRequest['options'] | PreviewRequest['options'],
  model?: string,
): Pick<DubPlan, 'settings' | 'boxes' | 'format' | 'warnings'> {
  const {
    sync_mode,
    active_speaker_detection: speaker,
    output_format: format = 'mp4',
    temperature,
    occlusion_detection_enabled: occlusion,
    ...settings
  } = options;
  const warnings: string[] = [];
  if (temperature !== undefined) warnings.push('temperature has no effect with these models');
  if (occlusion) warnings.push('occlusion_detection_enabled has no effect with these models');
  const point = speaker && 'coordinates' in speaker ? speaker : undefined;
  const found = speaker && 'auto_detect' in speaker && speaker.auto_detect;
  return {
    settings: {
      ...settings,
      ...(model !== undefined && { model }),
      ...(sync_mode !== undefined && { syncMode: sync_mode }),
      ...(found && { face: 'speaking' }),
      ...(point && { face: placeOf(point) }),
    },
    boxes: speaker && 'bounding_boxes' in speaker ? speaker.bounding_boxes : undefined,
    format,
    warnings,
  };
}

/** A place in the words of the option `face`. */
function placeOf({ coordinates, frame_number: frame }: { coordinates: number[]; frame_number: number }) {
  return `${coordinates.join(',')}${frame > 0 ? `@${frame}` : ''}`;
}

/** A source in one form. */
export function sourceOf(given: NonNullable<DubRequest['video']>): Source {
  return typeof given === 'string' ? { upload: given } : given;
}

interface Asset {
  readonly upload?: string | undefined;
  readonly assetId?: string | undefined;
  readonly url?: string | undefined;
}

function inputsOf({ video, sound, input }: DubRequest) {
  if (input) {
    if (video !== undefined || sound !== undefined)
      throw bad('input', 'give either input, or video and sound');
    const pictures = input.filter(({ type }) => type !== 'audio');
    const heard = input.filter((item) => item.type === 'audio');
    if (pictures.length !== 1 || heard.length === 0)
      throw bad('input', 'there must be one video or image, and audio');
    return {
      video: assetOf(pictures[0]!),
      sounds: heard.map(assetOf),
      names: heard.map((item) => item.refId),
    };
  }
  if (video === undefined) throw bad('video', 'is missing');
  if (sound === undefined) throw bad('sound', 'is missing');
  return { video: sourceOf(video), sounds: [sourceOf(sound)], names: [undefined] };
}

function assetOf({ upload, assetId, url }: Asset): Source {
  const given = [upload ?? assetId, url].filter((value) => value !== undefined);
  if (given.length !== 1 || (upload !== undefined && assetId !== undefined))
    throw bad('input', 'each item names one upload, assetId or url');
  return url === undefined ? { upload: given[0]! } : { url };
}

function segmentOf(
  { startTime: start, endTime: end, audioInput }: NonNullable<DubRequest['segments']>[number],
  index: number,
  names: readonly (string | undefined)[],
): SegmentPlan {
  const { refId, startTime: from = 0, endTime: to } = audioInput;
  const where = `segments.${index}`;
  if (end <= start) throw bad(where, 'ends before it begins');
  if (to !== undefined && to <= from) throw bad(`${where}.audioInput`, 'ends before it begins');
  const sound = names.indexOf(refId);
  if (sound < 0) throw bad(`${where}.audioInput.refId`, 'names no audio of the input');
  return { start, end, sound, from, to };
}

function checkOverlap(segments: readonly SegmentPlan[]): void {
  const sorted = [...segments].sort((a, b) => a.start - b.start);
  for (const [i, { start }] of sorted.entries())
    if (i > 0 && start < sorted[i - 1]!.end) throw bad('segments', `overlap at ${start} s`);
}

/** Text that is safe to show in one line: no control characters, none that turn the direction of writing. */
export function displayText(text: string): string {
  return text
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '')
    .trim()
    .slice(0, 200);
}

function bad(field: string, why: string): MuseTalkError {
  return new MuseTalkError('BAD_OPTION', `${field}: ${why}`, {
    hint: 'See the description of the API at /docs.',
    facts: { problems: [`${field}: ${why}`] },
  });
}
