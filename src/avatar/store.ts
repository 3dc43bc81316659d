/**
 * What an avatar knows of its frames, on disk, so that memory does not grow with the length of a video.
 *
 * A folder of files: `avatar.json` says what it was made of; `person.json` what all faces share; `faces.bin` holds latents and packed masks, one
 * face after another; `faces.jsonl` holds a line for each frame: where its record lies, or `null` for no face. A
 * line is written after its record, and carries a checksum of it, so what a killed process leaves is whole up to its
 * last good line and can be continued.
 */
import { type FileHandle, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32, deflateRaw, inflateRaw } from 'node:zlib';
import type { BlendMask } from '../compositing/masks.ts';
import type { Box } from '../core/box.ts';
import { MuseTalkError } from '../core/errors.ts';
import { BYTES_PER_ELEMENT, sizeOf } from '../core/tensor.ts';
import { type Image, image } from '../image/image.ts';
import { type Latents, latentData, type Person } from '../lips/lip-model.ts';

/** What is kept of a frame that shows a face. */
export interface AvatarFace {
  /** Cut out and pasted back; pixels of the frame. */
  readonly box: Box;
  readonly latents: Latents;
  readonly mask: BlendMask;
  /** How far the mouth is open, as a part of the box's height; NaN where it is not known. */
  readonly opening: number;
}

/** What the faces of a store were made of and with. */
export interface StoreHeader {
  /** Names model, settings and source; a store with another key is not continued. */
  readonly key: string;
  /** Shape and type of the latents of one face. */
  readonly latentShape: readonly number[];
  readonly latentType: Latents['dtype'];
  /** How many frames the store will have when it is complete. */
  readonly frameCount: number;
}

const FORMAT = 'musetalk-avatar-2';
/** The file for what is known of the person. */
const PERSON = 'person.json';
const pack = promisify(deflateRaw);
const unpack = promisify(inflateRaw);

type Numbers4 = [x1: number, y1: number, x2: number, y2: number];

/** A line of `faces.jsonl`. */
interface Record {
  readonly box: Numbers4;
  readonly mask: Numbers4;
  readonly opening: number | null;
  /** Bytes from the start of `faces.bin`, where latents (little endian) and packed mask lie. */
  readonly at: number;
  readonly length: number;
  readonly crc: number;
}

/** An avatar on disk: one record after another, so that a run that was ended anywhere can go on from its last whole one. */
export class AvatarStore {
  readonly folder: string;
  readonly header: StoreHeader;
  readonly #records: (Record | null)[];
  readonly #data: FileHandle;
  readonly #index: FileHandle;
  #last: { frame: number; face: AvatarFace } | undefined;

  private constructor(
    folder: string,
    header: StoreHeader,
    files: { records: (Record | null)[]; data: FileHandle; index: FileHandle },
  ) {
    this.folder = folder;
    this.header = header;
    this.#records = files.records;
    this.#data = files.data;
    this.#index = files.index;
  }

  /**
   * The store in `folder`, continued where it was left if it has the same header, else a new one. An incomplete one
   * is cut to a multiple of `batchSize` frames, so that batches begin where they would have begun undisturbed.
   *
   * @throws MuseTalkError CANNOT_WRITE.
   */
  static async open(folder: string, header: StoreHeader, batchSize = 1): Promise<AvatarStore> {
    try {
      await mkdir(folder, { recursive: true });
      const text = JSON.stringify({ format: FORMAT, ...header });
      const known = await readFile(join(folder, 'avatar.json'), 'utf8').catch(() => undefined);
      if (known !== text) {
        await Promise.all(
          ['faces.bin', 'faces.jsonl', PERSON].map((name) => rm(join(folder, name), { force: true })),
        );
        await writeFile(join(folder, 'avatar.json'), text);
      }
      const data = await open(join(folder, 'faces.bin'), 'a+');
      const index = await open(join(folder, 'faces.jsonl'), 'a+');
      const records = await goodRecords(data, index, { ...header, batchSize });
      return new AvatarStore(folder, header, { records, data, index });
    } catch (cause) {
      throw storeError(folder, cause);
    }
  }

  /**
   * A complete store, to be read only. Records are checked as they are read, so that a long one opens fast.
   *
   * @throws MuseTalkError WORK_MISSING where it is not there, not complete, or holds other latents than these.
   */
  static async openWhole(
    folder: string,
    { latentShape, latentType }: Pick<StoreHeader, 'latentShape' | 'latentType'>,
  ): Promise<AvatarStore> {
    const files: FileHandle[] = [];
    try {
      const header = JSON.parse(await readFile(join(folder, 'avatar.json'), 'utf8')) as StoreHeader;
      for (const name of ['faces.bin', 'faces.jsonl']) files.push(await open(join(folder, name), 'r'));
      const [data, index] = files as [FileHandle, FileHandle];
      const lines = (await index.readFile('utf8')).trimEnd().split('\n');
      const records = lines.map((line) => JSON.parse(line) as Record | null);
      if (`${header.latentShape} ${header.latentType}` !== `${latentShape} ${latentType}`)
        throw new Error('its latents are of another model');
      if (records.length !== header.frameCount) throw new Error('it is not complete');
      return new AvatarStore(folder, header, { records, data, index });
    } catch (cause) {
      for (const file of files) await file.close();
      throw new MuseTalkError(
        'WORK_MISSING',
        `cannot use the avatar in ${folder}: ${(cause as Error).message}`,
        {
          hint: 'Prepare it again, with the same model.',
          facts: { folder },
          cause,
        },
      );
    }
  }

  /** Frames that are there, from the first on. */
  get count(): number {
    return this.#records.length;
  }

  /** Frames with a face among those that are there. */
  get faceCount(): number {
    return this.#records.reduce((sum, record) => sum + (record === null ? 0 : 1), 0);
  }

  /** How far the mouth of a frame is open (see `AvatarFace`); NaN without a face. */
  opening(frame: number): number {
    return this.#records[frame]?.opening ?? Number.NaN;
  }

  /** Adds the next frame. @throws MuseTalkError CANNOT_WRITE. */
  async add(face: AvatarFace | null): Promise<void> {
    try {
      const record = face && (await this.#write(face));
      await this.#index.appendFile(`${JSON.stringify(record)}\n`);
      this.#records.push(record);
    } catch (cause) {
      throw storeError(this.folder, cause);
    }
  }

  /** What is kept of a frame; `null` where it shows no face. @throws MuseTalkError BAD_FILE. */
  async face(frame: number): Promise<AvatarFace | null> {
    const record = this.#records[frame];
    if (record === undefined) throw new RangeError(`frame ${frame} of ${this.count} is not in the store`);
    if (record === null) return null;
    // A picture asks for the same face again and again.
    if (this.#last?.frame === frame) return this.#last.face;
    const face = await this.#read(record);
    this.#last = { frame, face };
    return face;
  }

  /** Keeps what is known of the person. @throws MuseTalkError CANNOT_WRITE. */
  async keepPerson({ reference, setting, lipSpread }: Person): Promise<void> {
    const kept = {
      reference: reference && inText(reference),
      setting: setting && { ...setting, picture: inText(setting.picture) },
      lipSpread,
    };
    try {
      await writeFile(join(this.folder, PERSON), JSON.stringify(kept));
    } catch (cause) {
      throw storeError(this.folder, cause);
    }
  }

  /** What was kept of the person; nothing where nothing was. */
  async person(): Promise<Person> {
    const text = await readFile(join(this.folder, PERSON), 'utf8').catch(() => '{}');
    const { reference, setting, lipSpread } = JSON.parse(text);
    return {
      reference: reference && ofText(reference),
      setting: setting && { ...setting, picture: ofText(setting.picture) },
      lipSpread,
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#data.close(), this.#index.close()]);
  }

  async #write({ box, latents, mask, opening }: AvatarFace): Promise<Record> {
    const { data } = latents;
    const bytes = Buffer.concat([
      Buffer.from(data.buffer, data.byteOffset, data.byteLength),
      await pack(mask.mask.data, { level: 1 }),
    ]);
    const last = this.#records.findLast((record) => record !== null);
    const at = last ? last.at + last.length : 0;
    await this.#data.appendFile(bytes);
    return {
      box: [box.x1, box.y1, box.x2, box.y2],
      mask: [mask.crop.x1, mask.crop.y1, mask.crop.x2, mask.crop.y2],
      opening: Number.isNaN(opening) ? null : opening,
      at,
      length: bytes.length,
      crc: crc32(bytes),
    };
  }

  async #read({ box, mask, opening, at, length, crc }: Record): Promise<AvatarFace> {
    const bytes = Buffer.alloc(length);
    await this.#data.read(bytes, 0, length, at);
    if (crc32(bytes) !== crc) {
      throw new MuseTalkError('BAD_FILE', `the avatar in ${this.folder} is damaged`, {
        hint: 'Prepare it again.',
        facts: { folder: this.folder },
      });
    }
    const { latentShape, latentType: dtype } = this.header;
    const numbers = latentData(dtype, sizeOf(latentShape));
    const size = numbers.length * BYTES_PER_ELEMENT[dtype];
    new Uint8Array(numbers.buffer).set(bytes.subarray(0, size));
    const crop = boxOf(mask);
    const pixels = await unpack(bytes.subarray(size));
    return {
      box: boxOf(box),
      latents: { dtype, shape: latentShape, data: numbers } as Latents,
      mask: { crop, mask: image(crop.x2 - crop.x1, crop.y2 - crop.y1, 1, new Uint8Array(pixels)) },
      opening: opening ?? Number.NaN,
    };
  }
}

/** The records up to the first bad one (and to a whole number of batches); both files are cut there. */
async function goodRecords(
  data: FileHandle,
  index: FileHandle,
  { frameCount, batchSize }: { frameCount: number; batchSize: number },
): Promise<(Record | null)[]> {
  const records: (Record | null)[] = [];
  const text = await index.readFile('utf8');
  const ends = [0]; // of lines and of records, before the first and after each
  const dataEnds = [0];
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) {
    const record = parsed(text.slice(ends.at(-1), end));
    if (record === undefined || !(await isWhole(data, record, dataEnds.at(-1)!))) break;
    records.push(record);
    ends.push(end + 1);
    dataEnds.push(record ? record.at + record.length : dataEnds.at(-1)!);
  }
  const kept = records.length < frameCount ? records.length - (records.length % batchSize) : frameCount;
  await index.truncate(ends[kept]); // all of it is ASCII, so characters are bytes
  await data.truncate(dataEnds[kept]);
  return records.slice(0, kept);
}

async function isWhole(data: FileHandle, record: Record | null, start: number): Promise<boolean> {
  if (record === null) return true;
  if (record.at !== start) return false;
  const bytes = Buffer.alloc(record.length);
  const { bytesRead } = await data.read(bytes, 0, record.length, record.at);
  return bytesRead === record.length && crc32(bytes) === record.crc;
}

function parsed(line: string): Record | null | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function boxOf([x1, y1, x2, y2]: Numbers4): Box {
  return { x1, y1, x2, y2 };
}

function storeError(folder: string, cause: unknown): MuseTalkError {
  if (cause instanceof MuseTalkError) return cause;
  const full = (cause as NodeJS.ErrnoException)?.code === 'ENOSPC';
  const why = full ? 'the disk is full' : cause instanceof Error ? cause.message : String(cause);
  return new MuseTalkError('CANNOT_WRITE', `cannot write ${folder}: ${why}`, {
    hint: full ? 'Free some space, or write to another disk.' : 'Write to another folder.',
    facts: { folder },
    cause,
  });
}

interface PictureInText {
  readonly width: number;
  readonly height: number;
  readonly channels: Image['channels'];
  /** Base 64. */
  readonly data: string;
}

function inText({ width, height, channels, data }: Image): PictureInText {
  return { width, height, channels, data: Buffer.from(data).toString('base64') };
}

function ofText({ width, height, channels, data }: PictureInText): Image {
  return image(width, height, channels, Buffer.from(data, 'base64'));
}
