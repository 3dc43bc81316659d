/**
 * Guides for the sound encoder: what a public speech embedding hears, read as lip codes.
 *
 *     node --import tsx scripts/mini/guide.ts DATA
 *
 * A small network on top of the embedding learns lip codes from GRID in minutes, and follows voices that it never
 * heard better than an encoder of our own that learnt from thirteen people. So several of them, together, say what
 * the lips do in speech without a face: DATA/guided/NAME.f32 holds nine numbers every 40 ms for each sound of `teach.ts`
 * that has no face. The guides are no part of mini.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { tensor } from '../../src/core/tensor.ts';
import { layerNorm, linear } from '../../src/nn/layers.ts';
import { gelu, mul } from '../../src/nn/ops/arithmetic.ts';
import { reshape, transpose } from '../../src/nn/ops/shape.ts';
import { loadGraph, type Session } from '../../src/nn/session.ts';
import { Trainer } from '../../src/nn/trainer.ts';
import type { Value } from '../../src/nn/value.ts';
import { input } from '../../src/nn/value.ts';
import { frozenTensors, Trainable, Weights } from '../../src/nn/weights.ts';
import { initialWeights } from '../../src/train/initial.ts';
import { codeLoss } from '../../src/train/mini/sound-loss.ts';
import { basisOf, codesOf, recordings, seenClips, stylesOf, voicesOf } from './aligned.ts';
import { randomFrom } from './sound-data.ts';
import { NUMBERS, TAUGHT, taught } from './taught.ts';
import { speedOf, voiceName } from './voices.ts';

const [data] = process.argv.slice(2) as [string];
/** Steps of 40 ms before and after that a guide hears too. */
const AROUND = [-4, -2, 0, 2, 4];
const FEATURES = AROUND.length * TAUGHT;
const WIDTH = 128;
/** Rows of a step in pieces of neighbouring ones, of which the loss sees the change. */
const [PIECES, ROWS] = [16, 8];
const STEPS = 6000;
const GUIDES = 4;
/** Part of the numbers that a step does not see. */
const DROPPED = 0.2;

/** One sound: what is heard of it and, where a face was seen, its codes; both every 40 ms. */
interface Heard {
  readonly count: number;
  readonly features: Float32Array;
  readonly codes: Float32Array;
}

const scale = { mean: new Float32Array(FEATURES), width: new Float32Array(FEATURES) };
const [s1, others] = await seenSounds();
measureScale([...s1, ...others]);
const guides: Session[] = [];
for (let k = 0; k < GUIDES; k++) guides.push(await trained(randomFrom(100 + k)));

const out = join(data, 'guided');
await mkdir(out, { recursive: true });
for (const file of await readdir(join(data, 'speech')))
  if (file.endsWith('.wav')) await guide(basename(file, '.wav'));
const spoken = new Set((await recordings()).map(({ name }) => name));
for (const file of await readdir(join(data, 'taught')))
  if (spoken.has(file.split(/~|\.f32/)[0]!)) await guide(basename(file, '.f32'));
for (const each of guides) await each.close();

/** The network of a guide. features: [N, 480] in about −2 … 2; masks: which numbers it may see, or none */
function guideOf(w: Weights, features: Value, masks?: { seen: Value; kept: Value }): Value {
  const seen = layerNorm(w.at('norm'), features);
  const h = gelu(linear(w.at(0), masks ? mul(seen, masks.seen) : seen, { out: WIDTH }));
  return linear(w.at(1), masks ? mul(h, masks.kept) : h, { out: NUMBERS });
}

async function trained(random: () => number) {
  const count = PIECES * ROWS;
  const trainable = new Trainable();
  const masks = { seen: input('seen', [count, FEATURES]), kept: input('kept', [count, WIDTH]) };
  const codes = guideOf(new Weights(trainable), input('features', [count, FEATURES]), masks);
  const shape = (value: Value) => transpose(reshape(value, [PIECES, ROWS, NUMBERS]), [0, 2, 1]);
  const loss = codeLoss(
    shape(codes),
    shape(input('codes', [count, NUMBERS])),
    input('weight', [PIECES, 1, ROWS]),
  );
  const initial = initialWeights(trainable.parameters, random);
  const trainer = await Trainer.start({
    groups: {
      guide: {
        parameters: trainable.parameters,
        initial,
        betas: [0.9, 0.98],
        weightDecay: 0.02,
        clipNorm: 1,
      },
    },
    passes: { step: { loss, groups: ['guide'] } },
    threads: 1,
  });
  const mask = (size: number) =>
    Float32Array.from({ length: size }, () => (random() < DROPPED ? 0 : 1 / (1 - DROPPED)));
  let sum = 0;
  for (let step = 0; step < STEPS; step++) {
    const feeds = {
      features: tensor([count, FEATURES]),
      codes: tensor([count, NUMBERS]),
      seen: tensor([count, FEATURES], mask(count * FEATURES)),
      kept: tensor([count, WIDTH], mask(count * WIDTH)),
      weight: tensor([PIECES, 1, ROWS], new Float32Array(count).fill(1)),
    };
    for (let piece = 0; piece < PIECES; piece++) {
      const list = piece % 2 ? s1 : others;
      const sound = list[Math.floor(random() * list.length)]!;
      const from = Math.floor(random() * (sound.count - ROWS));
      feeds.features.data.set(
        sound.features.subarray(from * FEATURES, (from + ROWS) * FEATURES),
        piece * ROWS * FEATURES,
      );
      feeds.codes.data.set(
        sound.codes.subarray(from * NUMBERS, (from + ROWS) * NUMBERS),
        piece * ROWS * NUMBERS,
      );
    }
    sum += (await trainer.run('step', feeds)).loss;
    const cosine = 0.03 + 0.97 * 0.5 * (1 + Math.cos((Math.PI * step) / STEPS));
    await trainer.update('guide', { learningRate: 1e-3 * Math.min(1, (step + 1) / 100) * cosine });
    if ((step + 1) % 1000 === 0) {
      console.log(`${step + 1}: ${(sum / 1000).toFixed(4)}`);
      sum = 0;
    }
  }
  const weights = await trainer.parameters('guide');
  await trainer.close();
  return loadGraph({
    codes: guideOf(new Weights(frozenTensors(weights)), input('features', ['N', FEATURES])),
  });
}

/** The clips of GRID that may be learnt from, in all their voices: those of s1, and of the others. */
async function seenSounds(): Promise<[Heard[], Heard[]]> {
  const clips = await seenClips(data);
  const basis = basisOf(clips);
  const styles = stylesOf(clips);
  const [s1, others]: Heard[][] = [[], []];
  for (const clip of clips) {
    if (clip.heldBack) continue;
    for (let k = 0; k < voicesOf(clip); k++) {
      const embedding = await taught(data, voiceName(clip.name, k));
      if (!embedding) continue;
      const count = embedding.length / TAUGHT;
      const style = styles.get(clip.speaker)!;
      const codes = codesOf(clip, { basis, style }, { count, rate: 25, speed: speedOf(clip.name, k) });
      (clip.speaker === 's1' ? s1 : others)!.push({ count, features: featuresOf(embedding), codes });
    }
  }
  return [s1!, others!];
}

/** The embedding with its surroundings, [n, 480]. */
function featuresOf(embedding: Float32Array): Float32Array {
  const count = embedding.length / TAUGHT;
  const features = new Float32Array(count * FEATURES);
  for (let t = 0; t < count; t++) {
    for (const [i, offset] of AROUND.entries()) {
      const from = Math.min(Math.max(t + offset, 0), count - 1) * TAUGHT;
      features.set(embedding.subarray(from, from + TAUGHT), t * FEATURES + i * TAUGHT);
    }
  }
  return features;
}

/** Takes mean and deviation of all features, and brings those of the sounds to 0 and 1. */
function measureScale(sounds: readonly Heard[]): void {
  const [sums, squares] = [new Float64Array(FEATURES), new Float64Array(FEATURES)];
  let count = 0;
  for (const { features, count: rows } of sounds) {
    for (let i = 0; i < features.length; i++) {
      sums[i % FEATURES]! += features[i]!;
      squares[i % FEATURES]! += features[i]! ** 2;
    }
    count += rows;
  }
  for (let i = 0; i < FEATURES; i++) {
    scale.mean[i] = sums[i]! / count;
    scale.width[i] = Math.sqrt(squares[i]! / count - scale.mean[i]! ** 2) + 1e-3;
  }
  for (const { features } of sounds) toScale(features);
}

function toScale(features: Float32Array): Float32Array {
  for (let i = 0; i < features.length; i++)
    features[i] = (features[i]! - scale.mean[i % FEATURES]!) / scale.width[i % FEATURES]!;
  return features;
}

/** The mean of what all guides say of one sound. */
async function guide(name: string): Promise<void> {
  const embedding = await taught(data, name);
  if (!embedding) return;
  const count = embedding.length / TAUGHT;
  const features = tensor([count, FEATURES], toScale(featuresOf(embedding)));
  const mean = new Float32Array(count * NUMBERS);
  for (const each of guides) {
    const { codes } = await each.run({ features });
    for (let i = 0; i < mean.length; i++) mean[i]! += (codes!.data[i] as number) / guides.length;
  }
  await writeFile(join(out, `${name}.f32`), mean);
}
