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
import { guidedRows, NUMBERS, standardise, taught } from './taught.ts';
import type { Voice } from './voices.ts';
import { voiceOf } from './voices.ts';

const STRANGERS = new Set(['s25', 'x03', 'x06', 'x09']);

/** Four speakers and a tenth of s1's sentences are only measured on. */
export function isHeldBack({ name, speaker }: { name: string; speaker: string }): boolean {
  if (speaker !== 's1') return STRANGERS.has(speaker);
  return [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 10 === 5;
}

/** Recordings without a face that may be learnt from, by file name, with their texts where those are known. */
const RECORDINGS: Readonly<Record<string, string | undefined>> = {
  'librispeech-198-barnett.flac': undefined,
  'librispeech-3436-lankford.flac': undefined,
  'librispeech-5703-comira.flac': undefined,
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

/** A prepared clip of GRID. */
export interface SeenClip {
  readonly name: string;
  readonly speaker: string;
  readonly video: string;
  readonly heldBack: boolean;
  readonly frames: number;
  readonly openings: readonly number[];
  readonly shapes: Float32Array;
}

/** Every prepared clip of GRID. */
export async function seenClips(data: string): Promise<SeenClip[]> {
  const folder = join(data, 'clips');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  const clips: SeenClip[] = [];
  for (const file of files) {
    const facts = JSON.parse(await readFile(join(folder, file), 'utf8'));
    if (!/\/grid\//.test(facts.video)) continue;
    const shapes = new Float32Array(
      Uint8Array.from(await readFile(join(folder, file.replace('json', 'shapes')))).buffer,
    );
    clips.push({ ...facts, name: basename(file, '.json'), heldBack: isHeldBack(facts), shapes });
  }
  return clips;
}

/** A clip of GRID with its sound. */
interface GridClip extends SeenClip {
  readonly samples: Float32Array;
  /** With its phones aligned where its words are known. */
  readonly sound: Utterance;
}

async function withSound(clip: SeenClip, ears: Session): Promise<GridClip> {
  const samples = await readWholeSound(clip.video);
  const text = gridText(basename(clip.video, extname(clip.video)));
  return { ...clip, samples, sound: await aligned('grid', samples, text, ears) };
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
export function basisOf(clips: readonly SeenClip[]): LipBasis {
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
export function stylesOf(clips: readonly SeenClip[]): Map<string, number> {
  const spreads = spreadsOf(clips);
  const logs = [...spreads.values()].map(Math.log);
  const mean = logs.reduce((a, b) => a + b, 0) / logs.length;
  return new Map([...spreads].map(([speaker, width]) => [speaker, Math.exp(0.8 * (Math.log(width) - mean))]));
}

/** The opening that counts as one in the ninth number. */
const OPENING_UNIT = 0.025;

/** Codes and opening in the mean style, `rate` times a second of a sound that plays at `speed`: [count, 9]. */
export function codesOf(
  clip: SeenClip,
  { basis, style }: { basis: LipBasis; style: number },
  { count, rate, speed }: { count: number; rate: number; speed: number },
): Float32Array {
  const perFrame = new Float32Array(clip.frames * NUMBERS);
  const closed = [...clip.openings].sort((a, b) => a - b)[Math.floor(0.1 * clip.frames)]!;
  for (let t = 0; t < clip.frames; t++) {
    perFrame.set(lipCode(basis, clip.shapes.subarray(t * LIP_NUMBERS, (t + 1) * LIP_NUMBERS)), t * NUMBERS);
    perFrame[t * NUMBERS + MINI_CODE] = (clip.openings[t]! - closed) / OPENING_UNIT;
  }
  const codes = new Float32Array(count * NUMBERS);
  for (let row = 0; row < count; row++) {
    const at = Math.min(Math.max((25 * speed * (row + 0.5)) / rate - 0.5, 0), clip.frames - 1.001);
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

/** Synthesised speech with its phones and their ends in seconds. */
export async function synthesised(
  data: string,
): Promise<{ name: string; samples: Float32Array; phones: (readonly [phone: number, end: number])[] }[]> {
  const folder = join(data, 'speech');
  const list = [];
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.wav'))) {
    const segments = JSON.parse(await readFile(join(folder, file.replace('wav', 'json')), 'utf8'));
    const phones = segments.map(([phone, end]: [string, number]) => [PHONES.indexOf(phone), end] as const);
    list.push({ name: basename(file, '.wav'), samples: await readPlainWav(join(folder, file)), phones });
  }
  return list;
}

/** Recordings without a face. */
export async function recordings(): Promise<
  { name: string; samples: Float32Array; text: string | undefined }[]
> {
  const folder = join(process.env.MUSETALK_SHARED ?? '../shared', 'data', 'speech');
  const list = [];
  for (const [file, text] of Object.entries(RECORDINGS)) {
    list.push({
      name: basename(file, extname(file)),
      samples: await readWholeSound(join(folder, file)),
      text,
    });
  }
  return list;
}

/** How many voices are made of each clip of s1, of each clip of another speaker and of each recording. */
const VOICES = { s1: 2, others: 20, recordings: 10 };

/** How many voices are made of a clip. */
export function voicesOf({ speaker }: { readonly speaker: string }): number {
  return speaker === 's1' ? VOICES.s1 : VOICES.others;
}

/** The sounds of GRID's clips that may be learnt from, and recordings, in several voices each. */
export async function* realVoices(data: string): AsyncGenerator<Voice> {
  for (const clip of await seenClips(data)) {
    if (clip.heldBack) continue;
    const samples = await readWholeSound(clip.video);
    for (let k = 0; k < voicesOf(clip); k++) yield voiceOf(clip.name, samples, k);
  }
  for (const { name, samples } of await recordings())
    for (let k = 0; k < VOICES.recordings; k++) yield voiceOf(name, samples, k);
}

/** Corpora with the share of each in a batch. */
export async function loadAligned(
  data: string,
  random: () => number,
  from: string,
): Promise<[share: number, list: Utterance[]][]> {
  const ears = await loadEars(join(data, `${from}.safetensors`));
  const clips = await seenClips(data);
  const basis = basisOf(clips);
  const styles = stylesOf(clips);
  console.log(`lip codes hold ${basis.held.map((part) => part.toFixed(3)).join(' ')}`);
  console.log(`styles ${[...styles].map(([speaker, style]) => `${speaker} ${style.toFixed(2)}`).join(', ')}`);
  const codesAt = (clip: GridClip, count: number, speed: number) =>
    codesOf(clip, { basis, style: styles.get(clip.speaker)! }, { count, rate: 50, speed });
  const learnt: GridClip[] = [];
  for (const clip of clips) if (!clip.heldBack) learnt.push(await withSound(clip, ears));
  const lips = articulationOf(
    learnt.map((clip) => ({ clip, codes: codesAt(clip, clip.sound.phones.length, 1) })),
  );
  const seen = async (clip: GridClip, k: number): Promise<Utterance> => {
    const voice = voiceOf(clip.name, clip.samples, k);
    const sound = k === 0 ? clip.sound : resounding(clip.sound, voice);
    const embedding = await taught(data, voice.name);
    return { ...sound, embedding, codes: codesAt(clip, sound.phones.length, voice.speed) };
  };
  /** Without a face: what the guides say, or else what GRID shows of each phone. */
  const imagined = async (sound: Utterance, name: string): Promise<Utterance> => ({
    ...sound,
    embedding: await taught(data, name),
    codes:
      (await guidedRows(data, name, sound.phones.length)) ??
      predict(articulation(sound.phones).features, lips, NUMBERS),
  });
  const [s1, others, synthetic, recorded]: Utterance[][] = [[], [], [], []];
  for (const clip of learnt) {
    const list = clip.speaker === 's1' ? s1 : others;
    for (let k = 0; k < voicesOf(clip); k++) list!.push(await seen(clip, k));
  }
  for (const { name, samples, phones } of await synthesised(data)) {
    const heard = random() < 0.5 ? throughRoom(samples, random) : samples;
    synthetic!.push(await imagined(utterance('synthetic', heard, phones), name));
  }
  for (const { name, samples, text } of await recordings()) {
    const sound = await aligned('recorded', samples, text, ears);
    for (let k = 0; k < VOICES.recordings; k++) {
      const voice = voiceOf(name, samples, k);
      recorded!.push(await imagined(k === 0 ? sound : resounding(sound, voice), voice.name));
    }
  }
  const corpora: [number, Utterance[]][] = [
    [0.3, s1!],
    [0.3, others!],
    [0.2, synthetic!],
    [0.2, recorded!],
  ];
  standardise(corpora.flatMap(([, list]) => list));
  await ears.close();
  return corpora;
}

/** A sound in another voice, with the phones of the first. */
function resounding(sound: Utterance, { samples, speed }: Voice): Utterance {
  const other = utterance(sound.corpus, samples, undefined);
  const last = sound.phones.length - 1;
  return {
    ...other,
    phones: other.phones.map((_, row) => sound.phones[Math.min(last, Math.floor((row + 0.5) * speed))]!),
  };
}
