/**
 * Trains the sound encoder of mini.
 *
 *     node --import tsx scripts/mini/train-sound.ts DATA phones|lips|codes MINUTES [RATE FROM TO]
 *
 * `phones` learns phones from synthesised speech (DATA/speech) and, from it and real voices, what a public embedding
 * hears (DATA/taught, see teach.ts); `lips` learns lip codes from ears that stay as they are, and `codes` all together,
 * with recordings and with the lips of GRID; speech without a face has the codes of the guides (DATA/guided, see
 * guide.ts) where those were asked. Starts from DATA/FROM.safetensors, writes DATA/TO.safetensors.
 */
import { join } from 'node:path';
import { tensor } from '../../src/core/tensor.ts';
import { MINI_CODE } from '../../src/networks/mini-face.ts';
import { MINI_BANDS, miniSound, PHONES } from '../../src/networks/mini-sound.ts';
import { conv1d } from '../../src/nn/layers.ts';
import { add, mul } from '../../src/nn/ops/arithmetic.ts';
import { Trainer } from '../../src/nn/trainer.ts';
import { input } from '../../src/nn/value.ts';
import { openCheckpoint } from '../../src/nn/weights/open-checkpoint.ts';
import { writeSafetensors } from '../../src/nn/weights/write-safetensors.ts';
import { Trainable, Weights } from '../../src/nn/weights.ts';
import { initialWeights } from '../../src/train/initial.ts';
import { codeLoss, phoneLoss, teacherLoss } from '../../src/train/mini/sound-loss.ts';
import { loadAligned, realVoices, synthesised } from './aligned.ts';
import type { SoundBatch, Utterance } from './sound-data.ts';
import { drawBatch, randomFrom, throughRoom, utterance } from './sound-data.ts';
import { standardise, TAUGHT, taught } from './taught.ts';

const [data, stage, minutes, rate = '1e-3', from = 'sound-phones', to = `sound-${stage}`] =
  process.argv.slice(2) as [string, 'phones' | 'lips' | 'codes', string, string?, string?, string?];
const BATCH = 16;
const ROWS = 200;
const random = randomFrom(stage === 'phones' ? 11 : [...to].reduce((sum, c) => sum + c.charCodeAt(0), 12));

const trainable = new Trainable();
const mel = input('mel', [BATCH, MINI_BANDS, 2 * ROWS]);
const out = miniSound(new Weights(trainable), mel);
const phones = phoneLoss(out.phones, input('phones', [BATCH, PHONES.length, ROWS]));
const codes = codeLoss(
  out.codes,
  input('codes', [BATCH, MINI_CODE + 1, ROWS]),
  input('weight', [BATCH, 1, ROWS]),
);
const learnt = conv1d(new Weights(trainable).at('taught'), out.heard, { out: TAUGHT, kernel: 1 });
const lesson = teacherLoss(
  learnt,
  input('taught', [BATCH, TAUGHT, ROWS]),
  input('taughtWeight', [BATCH, 1, ROWS]),
);
const listening = add(phones, mul(lesson, stage === 'phones' ? 1 : 2));
const loss = stage === 'phones' ? listening : add(mul(listening, 0.3), codes);
const initial = initialWeights(trainable.parameters, random, (name) => /^(ears|lips)\.\d+\.2\./.test(name));
if (stage !== 'phones') {
  const before = await openCheckpoint(join(data, `${from}.safetensors`));
  for (const name of before.entries.keys()) initial.set(name, await before.readFloat(name));
}
const LIPS = /^(mix|lips|codes)/;
const used = new Map(
  [...trainable.parameters].filter(([name]) => stage === 'codes' || LIPS.test(name) === (stage === 'lips')),
);
const frozen = [...trainable.parameters].filter(([name]) => !used.has(name));
const trainer = await Trainer.start({
  groups: {
    sound: { parameters: used, initial, betas: [0.9, 0.98], weightDecay: 0.02, clipNorm: 1, ema: 0.999 },
    ...(stage === 'lips' && { ears: { parameters: new Map(frozen), initial } }),
  },
  passes: {
    step: {
      loss,
      groups: ['sound'],
      outputs: { phoneLoss: phones, lesson, ...(stage !== 'phones' && { codeLoss: codes }) },
    },
  },
});

const pick = pickFrom(await (stage === 'phones' ? heardSounds() : loadAligned(data, random, from)));
const start = Date.now();
const length = Number(minutes) * 60_000;
let step = 0;
const sums = { loss: 0, phones: 0, lesson: 0, codes: 0, n: 0 };
for (let done = 0; done < 1; done = (Date.now() - start) / length) {
  const batch = drawBatch(pick, { batch: BATCH, rows: ROWS, random });
  const { loss: value, outputs } = await trainer.run('step', feeds(batch));
  const warm = Math.min(1, (step + 1) / 100);
  const cosine = 0.03 + 0.97 * 0.5 * (1 + Math.cos(Math.PI * Math.min(done, 1)));
  await trainer.update('sound', { learningRate: Number(rate) * warm * cosine });
  sums.loss += value;
  sums.phones += Number(outputs.phoneLoss?.data[0] ?? 0);
  sums.lesson += Number(outputs.lesson?.data[0] ?? 0);
  sums.codes += Number(outputs.codeLoss?.data[0] ?? 0);
  sums.n++;
  if (++step % 50 === 0) {
    const { n, ...values } = sums;
    const means = Object.entries(values).map(([name, sum]) => `${name} ${(sum / n).toFixed(4)}`);
    console.log(`${step} ${((Date.now() - start) / 60000).toFixed(1)} min: ${means.join(' ')}`);
    Object.assign(sums, { loss: 0, phones: 0, lesson: 0, codes: 0, n: 0 });
  }
  if (step % 500 === 0) await save();
}
await save();
await trainer.close();

async function save(): Promise<void> {
  const parameters = await trainer.parameters('sound', { average: true });
  for (const [name] of frozen) parameters.set(name, initial.get(name)!);
  await writeSafetensors(
    join(data, `${to}.safetensors`),
    [...parameters].map(([name, value]) => ({ name, tensor: value })),
  );
}

function feeds({ mel, phones, codes, codeWeight, taught, taughtWeight }: SoundBatch) {
  const wanted = tensor([BATCH, PHONES.length, ROWS]);
  for (let b = 0; b < BATCH; b++) {
    for (let t = 0; t < ROWS; t++) {
      const phone = phones[b * ROWS + t]!;
      if (phone >= 0) wanted.data[(b * PHONES.length + phone) * ROWS + t] = 1;
    }
  }
  const all = {
    mel: tensor([BATCH, MINI_BANDS, 2 * ROWS], mel),
    phones: wanted,
    taught: tensor([BATCH, TAUGHT, ROWS], taught),
    taughtWeight: tensor([BATCH, 1, ROWS], taughtWeight),
  };
  if (stage === 'phones') return all;
  return {
    ...all,
    codes: tensor([BATCH, MINI_CODE + 1, ROWS], codes),
    weight: tensor([BATCH, 1, ROWS], codeWeight),
  };
}

function pickFrom(
  corpora: readonly (readonly [weight: number, list: readonly Utterance[]])[],
): () => Utterance {
  const total = corpora.reduce((sum, [weight]) => sum + weight, 0);
  return () => {
    let at = random() * total;
    let list = corpora[0]![1];
    for (const [weight, sounds] of corpora) {
      list = sounds;
      at -= weight;
      if (at < 0) break;
    }
    return list[Math.floor(random() * list.length)]!;
  };
}

/** Synthesised speech with its phones, and real voices that only the teacher knows. */
async function heardSounds(): Promise<[share: number, list: Utterance[]][]> {
  const synthetic: Utterance[] = [];
  for (const { name, samples, phones } of await synthesised(data)) {
    const heard = random() < 0.5 ? throughRoom(samples, random) : samples;
    const embedding = await taught(data, name);
    synthetic.push({ ...utterance('synthetic', heard, phones), embedding });
  }
  const real: Utterance[] = [];
  for await (const { name, samples } of realVoices(data)) {
    const sound = { ...utterance('real', samples, undefined), embedding: await taught(data, name) };
    // Long recordings more often: a batch takes four seconds of each.
    for (let second = 0; second * 16000 < samples.length; second += 4) real.push(sound);
  }
  standardise([...synthetic, ...real]);
  return [
    [0.7, synthetic],
    [0.3, real],
  ];
}
