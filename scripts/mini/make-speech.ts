/**
 * Synthesises English speech with known phones and their times: what the sound encoder of mini learns phones from.
 *
 *     node --import tsx scripts/mini/make-speech.ts TEXT... OUT MINUTES
 *
 * Needs the program flite (Debian: flite), whose voices were built from recordings of four speakers. Each
 * sentence becomes OUT/NNNNN.wav and OUT/NNNNN.json, a list of [phone, end in seconds].
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Voices with the mean pitches, in hertz, that they are varied around. */
const VOICES: readonly (readonly [voice: string, pitch: number])[] = [
  ['slt', 180],
  ['rms', 95],
  ['awb', 130],
  ['kal16', 105],
];

const GRID = [
  ['bin', 'lay', 'place', 'set'],
  ['blue', 'green', 'red', 'white'],
  ['at', 'by', 'in', 'with'],
  [...'abcdefghijklmnopqrstuvxyz'],
  ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'],
  ['again', 'now', 'please', 'soon'],
];

const texts = process.argv.slice(2, -2);
const [out, minutes] = [process.argv.at(-2)!, Number(process.argv.at(-1))];
await mkdir(out, { recursive: true });
const sentences = (await Promise.all(texts.map((file) => readFile(file, 'utf8')))).flatMap(sentencesOf);
let state = 1;
let seconds = 0;
for (let i = 0; seconds < minutes * 60; i++) {
  const [voice, pitch] = VOICES[i % VOICES.length]!;
  const text = random() < 0.12 ? GRID.map(pick).join(' ') : pick(sentences);
  const wav = join(out, `${String(i).padStart(5, '0')}.wav`);
  const { stdout } = await run('flite', [
    ...['-voice', voice, '-t', text, '-o', wav, '-psdur'],
    ...['--setf', `duration_stretch=${(0.75 + 0.6 * random()).toFixed(2)}`],
    ...['--setf', `int_f0_target_mean=${(pitch * (0.8 + 0.45 * random())).toFixed(0)}`],
  ]);
  const phones = stdout
    .trim()
    .split(/\s+/)
    .map((part) => part.split(':'))
    .map(([phone, end]): [string, number] => [phone!, Number(end)]);
  await writeFile(wav.replace(/wav$/, 'json'), JSON.stringify(phones));
  seconds += phones.at(-1)?.[1] ?? 0;
}
console.log(`${(seconds / 60).toFixed(1)} minutes in ${out}`);

/** Sentences of 4 to 25 plain words: what a voice can read without spelling things out. */
function sentencesOf(text: string): string[] {
  return text
    .split(/\n%\n|(?<=[.!?])\s+/)
    .map((sentence) => sentence.replace(/\s+/g, ' ').trim())
    .filter((sentence) => /^[A-Za-z][A-Za-z ,;:.'!?-]*$/.test(sentence))
    .filter((sentence) => {
      const words = sentence.split(' ').length;
      return words >= 4 && words <= 25;
    });
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]!;
}

/** A fixed sequence (mulberry32), so that the same texts give the same speech. */
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
