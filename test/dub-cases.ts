/** The recorded runs of whole dubs, laid out as a user would have them. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Box } from '../src/core/box.ts';
import type { Image } from '../src/image/image.ts';
import { readNpy } from './npy.ts';
import { readPng } from './png.ts';
import type { GoldenCase } from './shared.ts';

/** A case as files: a folder of pictures, a sound, boxes, class maps. */
export interface DubCase {
  readonly video: string;
  readonly sound: string;
  readonly coords: string;
  readonly parsing: string;
  readonly models: string;
  readonly boxes: readonly (Box | null)[];
}

/** Lays a case out under `root`. */
export function layOut(root: string, folder: string, { inputs }: GoldenCase): DubCase {
  const [video, parsing] = ['video', 'parsing'].map((name) => join(root, name)) as [string, string];
  for (const [target, files] of [
    [video, inputs.video],
    [parsing, inputs.classes],
  ] as const) {
    mkdirSync(target, { recursive: true });
    for (const file of files as string[]) copyFileSync(join(folder, file), join(target, basename(file)));
  }
  const boxes = readBoxes(join(folder, inputs.boxes as string));
  const coords = join(root, 'coords.json');
  writeFileSync(coords, JSON.stringify(boxes.map((box) => box && [box.x1, box.y1, box.x2, box.y2])));
  return {
    video,
    parsing,
    coords,
    boxes,
    sound: join(folder, inputs.sound as string),
    models: join(folder, 'models'),
  };
}

/** Boxes from an array of [x1, y1, x2, y2], zeros for no face. */
export function readBoxes(path: string): (Box | null)[] {
  const { shape, data } = readNpy(path);
  return Array.from({ length: shape[0]! }, (_, i) => {
    const [x1, y1, x2, y2] = Array.from(data.slice(4 * i, 4 * i + 4), Number) as [
      number,
      number,
      number,
      number,
    ];
    return x2 > x1 ? { x1, y1, x2, y2 } : null;
  });
}

/** The arguments of the command line for a case, without the output. */
export function argumentsOf(
  name: string,
  { version, ...params }: GoldenCase['params'],
  c: DubCase,
): string[] {
  const options: Record<string, unknown> = {
    models: c.models,
    model: `musetalk-${version}`,
    fps: params.fps,
    coords: c.coords,
    parsing: c.parsing,
    silence: 'model',
    'batch-size': params.batch_size,
    'parsing-mode': params.parsing_mode,
    'extra-margin': params.extra_margin,
    'left-cheek-width': params.left_cheek_width,
    'right-cheek-width': params.right_cheek_width,
    compat: name.endsWith('_right') ? undefined : 'upstream',
  };
  const flags = Object.entries(options).flatMap(([option, value]) =>
    value === undefined ? [] : [`--${option}`, String(value)],
  );
  return ['dub', c.video, c.sound, ...flags];
}

/** Largest and mean absolute difference of two pictures. */
export function pictureDifference(a: Image, b: Image): { max: number; mean: number } {
  let [max, sum] = [0, 0];
  for (let i = 0; i < b.data.length; i++) {
    const difference = Math.abs(a.data[i]! - b.data[i]!);
    max = Math.max(max, difference);
    sum += difference;
  }
  return a.data.length === b.data.length ? { max, mean: sum / b.data.length } : { max: 255, mean: 255 };
}

/** The PNGs of finished frames, by number. */
export function readFrame(folder: string, number: number): Promise<Image> {
  return readPng(join(folder, `${String(number).padStart(8, '0')}.png`));
}
