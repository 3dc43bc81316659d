/**
 * The sounds that mini's sound encoder learns lip codes from: GRID with its measured lips, and speech without a
 * face, whose lips are made up from its phones by what GRID shows of each phone.
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { readWholeSound } from '../../src/media/read-sound.ts';
import { MINI_CODE } from '../../src/networks/mini-face.ts';
import { MINI_BANDS, MINI_SOUND_CONTEXT, miniSound, PHONES } from '../../src/networks/mini-sound.ts';
import { log } from '../../src/nn/ops/arithmetic.ts';
import { softmax } from '../../src/nn/ops/reduce.ts';
import type { Session } from '../../src/nn/session.ts';
import { loadGraph } from '../../src/nn/session.ts';
import { input } from '../../src/nn/value.ts';
import { openCheckpoint } from '../../src/nn/weights/open-checkpoint.ts';
import { frozenTensors, Weights } from '../../src/nn/weights.ts';
import { levelledMel } from '../../src/sound/levelled-mel.ts';
import { spreadsOf } from '../../src/train/mini/clips.ts';
import type { LipBasis } from '../../src/train/mini/lip-code.ts';
import { fitLipBasis, LIP_NUMBERS, lipCode } from '../../src/train/mini/lip-code.ts';
import { align, articulation, gridText, phonesOf, predict, ridge } from './phones.ts';
import type { Utterance } from './sound-data.ts';
import { readPlainWav, throughRoom, utterance } from './sound-data.ts';
import { standardise, taught } from './taught.ts';

/** Numbers a row: the lip code and the opening. */
const NUMBERS = MINI_CODE + 1;

const STRANGERS = new Set(['s25', 'x03', 'x06', 'x09']);

/** Four speakers and a tenth of s1's sentences are only measured on. */
export function isHeldBack({ name, speaker }: { name: string; speaker: string }): boolean {
  if (speaker !== 's1') return STRANGERS.has(speaker);
  return [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 10 === 5;
}

/** Texts of recordings without a face that may be learnt from, by file name. */
export const TEXTS: Readonly<Record<string, string>> = {
  'jfk-1961.flac':
    'And so my fellow Americans, ask not what your country can do for you, ask what you can do for your country.',
  'ljspeech-LJ050-0131.wav':
    'unless a system is established for the frequent formal review of activities thereunder. in this regard',
  'librivox-sonnet001.mp3': `One. From fairest creatures we desire increase, that thereby beauty's rose might never die,
    but as the riper should by time decease, his tender heir might bear his memory. But thou contracted to thine own
    bright eyes, feed'st thy light's flame with self substantial fuel, making a famine where abundance lies, thy self
    thy foe, to thy sweet self too cruel. Thou that art now the world's fresh ornament, and only herald to the gaudy
    spring, within thine own bud buriest thy content, and tender churl mak'st waste in niggarding. Pity the world, or
    else this glutton be, to eat the world's due, by the grave and thee.`,
  'librivox-sonnets-002-003-long.ogg': `Two. When forty winters shall besiege thy brow, and dig deep trenches in thy
    beauty's field, thy youth's proud livery, so gazed on now, will be a tattered weed, of small worth held. Then being
    asked where all thy beauty lies, where all the treasure of thy lusty days, to say, within thine own deep sunken eyes,
    were an all eating shame and thriftless praise. How much more praise deserved thy beauty's use, if thou couldst
    answer, this fair child of mine shall sum my count and make my old excuse, proving his beauty by succession thine.
    This were to be new made when thou art old, and see thy blood warm when thou feelest it cold. Three. Look in thy
    glass, and tell the face thou viewest, now is the time that face should form another, whose fresh repair if now thou
    not renewest, thou dost beguile the world, unbless some mother. For where is she so fair whose uneared womb disdains
    the tillage of thy husbandry? Or who is he so fond will be the tomb of his self love, to stop posterity? Thou art thy
    mother's glass, and she in thee calls back the lovely April of her prime. So thou through windows of thine age shall
    see, despite of wrinkles, this thy golden time. But if thou live, remembered not to be, die single, and thine image
    dies with thee.`,
};

/** A clip of GRID with its sound. */
export interface GridClip {
  readonly name: string;
  readonly speaker: string;
  readonly heldBack: boolean;
  readonly frames: number;
  readonly openings: readonly number[];
  readonly shapes: Float32Array;
  readonly sound: Utterance;
}

/** Every prepared clip of GRID, with its phones aligned where its words are known. */
export async function gridClips(data: string, ears: Session): Promise<GridClip[]> {
  const folder = join(data, 'clips');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  const clips: GridClip[] = [];
  for (const file of files) {
    const facts = JSON.parse(await readFile(join(folder, file), 'utf8'));
    if (!/\/grid\//.test(facts.video)) continue;
    const shapes = new Float32Array(
      Uint8Array.from(await readFile(join(folder, file.replace('json', 'shapes')))).buffer,
    );
    const samples = await readWholeSound(facts.video);
    const heldBack = isHeldBack(facts);
    const text = gridText(basename(facts.video, extname(facts.video)));
    const embedding = await taught(data, basename(file, '.json'));
    const sound = { ...(await aligned('grid', samples, text, ears)), embedding };
    clips.push({ ...facts, heldBack, shapes, sound });
  }
  return clips;
}

/** The phone scorer of a trained encoder: log-probabilities of [1, 80, 2 T] mels. */
export async function loadEars(path: string): Promise<Session> {
  const checkpoint = await openCheckpoint(path);
  const tensors = new Map(
    await Promise.all(
      [...checkpoint.entries.keys()].map(async (name) => [name, await checkpoint.readFloat(name)] as const),
    ),
  );
  const { phones } = miniSound(
    new Weights(frozenTensors(tensors)),
    input('mel', [1, MINI_BANDS, 2 * WINDOW]),
  );
  return loadGraph({ logs: log(softmax(phones, 1)) });
}

async function aligned(
  corpus: string,
  samples: Float32Array,
  text: string | undefined,
  ears: Session,
): Promise<Utterance> {
  const sound = utterance(corpus, samples, undefined);
  if (text === undefined) return sound;
  return { ...sound, phones: align(await phoneScores(sound, ears), await phonesOf(text)) };
}

/** Rows that the phone scorer takes at once. */
const WINDOW = 256;

/** Log-probabilities of the phones, [rows, phones]. */
export async function phoneScores(sound: Utterance, ears: Session): Promise<Float32Array> {
  const rows = sound.phones.length;
  const count = PHONES.length;
  const scores = new Float32Array(rows * count);
  const inner = WINDOW - 2 * MINI_SOUND_CONTEXT;
  for (let from = 0; from < rows; from += inner) {
    const first = from - MINI_SOUND_CONTEXT;
    const { logs } = await ears.run({ mel: levelledMel(sound.columns, sound.level, 2 * first, 2 * WINDOW) });
    for (let t = from; t < Math.min(from + inner, rows); t++) {
      for (let p = 0; p < count; p++) {
        scores[t * count + p] = (logs!.data as Float32Array)[p * WINDOW + t - first]!;
      }
    }
  }
  return scores;
}

/** The basis of lip codes from the clips that may be learnt from; s1, who has most of them, counts little. */
export function basisOf(clips: readonly GridClip[]): LipBasis {
  const shapes = clips
    .filter(({ heldBack }) => !heldBack)
    .flatMap(({ shapes, speaker, frames }) =>
      Array.from({ length: frames }, (_, t) => ({
        shape: shapes.subarray(t * LIP_NUMBERS, (t + 1) * LIP_NUMBERS),
        weight: speaker === 's1' ? 0.1 : 1,
      })),
    );
  return fitLipBasis(shapes);
}

/** How widely each speaker moves the lips, beside the mean of all: codes are divided by it to be learnt from sound. */
export function stylesOf(clips: readonly GridClip[]): Map<string, number> {
  const spreads = spreadsOf(clips);
  const logs = [...spreads.values()].map(Math.log);
  const mean = logs.reduce((a, b) => a + b, 0) / logs.length;
  return new Map([...spreads].map(([speaker, width]) => [speaker, Math.exp(0.8 * (Math.log(width) - mean))]));
}

/** The opening that counts as one in the ninth number. */
const OPENING_UNIT = 0.025;

/** Codes and opening of each row of 20 ms, in the mean style: [rows, 9]. */
export function codesOfRows(clip: GridClip, basis: LipBasis, style: number): Float32Array {
  const perFrame = new Float32Array(clip.frames * NUMBERS);
  const closed = [...clip.openings].sort((a, b) => a - b)[Math.floor(0.1 * clip.frames)]!;
  for (let t = 0; t < clip.frames; t++) {
    perFrame.set(lipCode(basis, clip.shapes.subarray(t * LIP_NUMBERS, (t + 1) * LIP_NUMBERS)), t * NUMBERS);
    perFrame[t * NUMBERS + MINI_CODE] = (clip.openings[t]! - closed) / OPENING_UNIT;
  }
  const rows = clip.sound.phones.length;
  const codes = new Float32Array(rows * NUMBERS);
  for (let row = 0; row < rows; row++) {
    const at = Math.min(Math.max(row / 2 - 0.25, 0), clip.frames - 1.001);
    const [i, f] = [Math.floor(at), at - Math.floor(at)];
    for (let c = 0; c < NUMBERS; c++) {
      const value = perFrame[i * NUMBERS + c]! * (1 - f) + perFrame[(i + 1) * NUMBERS + c]! * f;
      codes[row * NUMBERS + c] = value / style;
    }
  }
  return codes;
}

/** What each phone does to the lips, learnt from GRID: weights of `articulation`. */
export function articulationOf(clips: readonly { clip: GridClip; codes: Float32Array }[]): Float64Array {
  const samples = clips
    .filter(({ clip }) => !clip.heldBack && clip.sound.phones[0] !== -1)
    .map(({ clip, codes }) => ({
      features: articulation(clip.sound.phones).features,
      targets: codes,
      weight: clip.speaker === 's1' ? 0.15 : 1,
    }));
  return ridge(samples, articulation(new Int16Array(1)).width, NUMBERS, 3);
}

interface Voice {
  readonly name: string;
  readonly samples: Float32Array;
}

/** Synthesised speech with its phones and their ends in seconds. */
export async function synthesised(
  data: string,
): Promise<(Voice & { phones: (readonly [phone: number, end: number])[] })[]> {
  const folder = join(data, 'speech');
  const list = [];
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.wav'))) {
    const segments = JSON.parse(await readFile(join(folder, file.replace('wav', 'json')), 'utf8'));
    const phones = segments.map(([phone, end]: [string, number]) => [PHONES.indexOf(phone), end] as const);
    list.push({ name: basename(file, '.wav'), samples: await readPlainWav(join(folder, file)), phones });
  }
  return list;
}

/** Recordings without a face whose words are known. */
export async function recordings(): Promise<(Voice & { text: string })[]> {
  const folder = join(process.env.MUSETALK_SHARED ?? '../shared', 'data', 'speech');
  const list = [];
  for (const [file, text] of Object.entries(TEXTS)) {
    list.push({
      name: basename(file, extname(file)),
      samples: await readWholeSound(join(folder, file)),
      text,
    });
  }
  return list;
}

/** The sounds of GRID's clips that may be learnt from, and recordings; and how often each counts. */
export async function realVoices(data: string): Promise<(Voice & { times: number })[]> {
  const folder = join(data, 'clips');
  const list = [];
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()) {
    const facts = JSON.parse(await readFile(join(folder, file), 'utf8'));
    if (!facts.video.includes('/grid/') || isHeldBack(facts)) continue;
    const samples = await readWholeSound(facts.video);
    list.push({ name: facts.name as string, samples, times: facts.speaker === 's1' ? 1 : 10 });
  }
  for (const recording of await recordings()) list.push({ ...recording, times: 15 });
  return list;
}

/** Corpora with the share of each in a batch. */
export async function loadAligned(
  data: string,
  random: () => number,
  from: string,
): Promise<[share: number, list: Utterance[]][]> {
  const ears = await loadEars(join(data, `${from}.safetensors`));
  const clips = await gridClips(data, ears);
  const basis = basisOf(clips);
  const styles = stylesOf(clips);
  console.log(`lip codes hold ${basis.held.map((part) => part.toFixed(3)).join(' ')}`);
  console.log(`styles ${[...styles].map(([speaker, style]) => `${speaker} ${style.toFixed(2)}`).join(', ')}`);
  const withCodes = clips.map((clip) => ({
    clip,
    codes: codesOfRows(clip, basis, styles.get(clip.speaker)!),
  }));
  const lips = articulationOf(withCodes);
  const learnt = withCodes.filter(({ clip }) => !clip.heldBack);
  const grid = (s1: boolean) =>
    learnt
      .filter(({ clip }) => (clip.speaker === 's1') === s1)
      .map(({ clip, codes }) => ({ ...clip.sound, codes }));
  const imagined = (sound: Utterance): Utterance => ({
    ...sound,
    codes: predict(articulation(sound.phones).features, lips, NUMBERS),
  });
  const synthetic: Utterance[] = [];
  for (const { name, samples, phones } of await synthesised(data)) {
    const heard = random() < 0.5 ? throughRoom(samples, random) : samples;
    const embedding = await taught(data, name);
    synthetic.push({ ...imagined(utterance('synthetic', heard, phones)), embedding });
  }
  const recorded: Utterance[] = [];
  for (const { name, samples, text } of await recordings()) {
    const embedding = await taught(data, name);
    recorded.push({ ...imagined(await aligned('recorded', samples, text, ears)), embedding });
  }
  standardise([...learnt.map(({ clip }) => clip.sound), ...synthetic, ...recorded]);
  await ears.close();
  return [
    [0.32, grid(true)],
    [0.4, grid(false)],
    [0.2, synthetic],
    [0.08, recorded],
  ];
}
