import { MuseTalkError } from '../core/errors.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import { powerSpectrum } from './fft.ts';

/** Samples per second that everything here takes: mono, −1 … 1. */
export const SAMPLE_RATE = 16_000;

/** Samples from one column of the mel spectrogram to the next: 100 columns a second. */
const HOP = 160;

/** Bands of the mel spectrogram. */
export const MEL_BANDS = 80;

/** Columns that Whisper's encoder takes at once: 30 seconds. */
export const BLOCK_COLUMNS = 3000;

/** Samples of a block of 30 seconds. */
export const BLOCK_SAMPLES = BLOCK_COLUMNS * HOP;

const FFT_SIZE = 400;
const BINS = FFT_SIZE / 2 + 1;
const PADDING = FFT_SIZE / 2;

/** log10 of the least power that is told from nothing. */
const LEAST_LOG = -10;

/** What lies more than 80 dB under the loudest value is raised to that level. */
const RANGE = 8;

/**
 * The whole log-mel spectrogram of a sound as MuseTalk 1.0 sees it: [80, floor(samples / 160)], one maximum for
 * all. The result lies between −1.5 (digital silence) and about 1.5.
 *
 * Formula: log_mel_spectrogram of OpenAI's Whisper (whisper/audio.py).
 *
 * @throws MuseTalkError NO_SOUND for 200 samples or fewer, which cannot be reflected at their ends.
 */
export function logMel(samples: Float32Array): FloatTensor {
  const stream = new LogMelStream();
  const columns = concat(stream.push(samples), stream.end());
  const mel = tensor([MEL_BANDS, columns.length / MEL_BANDS]);
  writeColumns(mel, columns, stream.maximum);
  return mel;
}

/**
 * The log-mel spectrogram of one block of at most 30 seconds as MuseTalk 1.5 sees it: [1, 80, 3000]. The block
 * is filled up with zero samples first, and its maximum is its own.
 *
 * Formula: WhisperFeatureExtractor of Hugging Face's transformers.
 */
export function logMelOfBlock(samples: Float32Array): FloatTensor {
  if (samples.length > BLOCK_SAMPLES)
    throw new RangeError(`a block has at most ${BLOCK_SAMPLES} samples, not ${samples.length}`);
  const padded = new Float32Array(BLOCK_SAMPLES);
  padded.set(samples);
  const stream = new LogMelStream();
  const columns = concat(stream.push(padded), stream.end());
  const mel = tensor([1, MEL_BANDS, BLOCK_COLUMNS]);
  writeColumns(mel, columns, stream.maximum);
  return mel;
}

/**
 * Writes columns ([n, 80], as `LogMelStream` gives them) into a spectrogram ([…, 80, at least n], n first
 * columns): raised to 80 dB under `maximum`, the maximum of the whole, and scaled by (L + 4) / 4.
 */
export function writeColumns(mel: FloatTensor, columns: Float32Array, maximum: number): void {
  const width = mel.shape.at(-1)!;
  const least = Math.fround(maximum - RANGE);
  const count = columns.length / MEL_BANDS;
  for (let t = 0; t < count; t++) {
    for (let band = 0; band < MEL_BANDS; band++) {
      mel.data[band * width + t] = (Math.max(columns[t * MEL_BANDS + band]!, least) + 4) / 4;
    }
  }
}

/**
 * Makes log10 of the mel powers of a sound of any length that arrives in pieces, and keeps less than one column
 * of it. Column t is centred on sample 160 t; at both ends the sound is mirrored (x[200] … x[1], x[0], …; the
 * border sample is not repeated). There are floor(samples / 160) columns.
 *
 * The values are raw: the range of 80 dB is counted from the maximum of the whole sound, which is known only
 * after its end. `writeColumns` finishes them.
 */
export class LogMelStream {
  /** Samples so far. */
  samples = 0;
  /** The greatest value so far, at least −10. */
  maximum = LEAST_LOG;

  #pending = new Float32Array(0); // padded sound from the first sample of the next column on
  #columns = 0;
  readonly #column = columnMaker();

  /** Takes the next samples and gives the columns that they complete: [n, 80]. */
  push(samples: Float32Array): Float32Array {
    const started = this.samples > PADDING;
    this.samples += samples.length;
    this.#pending = concat(this.#pending, samples);
    if (this.samples <= PADDING) return new Float32Array(0);
    if (!started) this.#pending = concat(mirrored(this.#pending, 1), this.#pending);
    return this.#take(Math.floor((this.#pending.length - FFT_SIZE) / HOP) + 1);
  }

  /**
   * Ends the sound and gives the last columns: [n, 80].
   *
   * @throws MuseTalkError NO_SOUND when 200 samples or fewer were pushed.
   */
  end(): Float32Array {
    if (this.samples <= PADDING) {
      throw new MuseTalkError(
        'NO_SOUND',
        `The sound has ${this.samples} samples at 16 kHz: too few to analyse.`,
        {
          hint: 'Give a sound of at least a tenth of a second.',
          facts: { samples: this.samples, least: PADDING + 1 },
        },
      );
    }
    const tail = mirrored(this.#pending, this.#pending.length - 1 - PADDING);
    this.#pending = concat(this.#pending, tail);
    // Whisper drops the column whose centre is the sample after the last: it is the (floor(n / 160) + 1)-th.
    return this.#take(Math.floor(this.samples / HOP) - this.#columns);
  }

  #take(count: number): Float32Array {
    if (count <= 0) return new Float32Array(0);
    const columns = new Float32Array(count * MEL_BANDS);
    for (let t = 0; t < count; t++) {
      const values = columns.subarray(t * MEL_BANDS, (t + 1) * MEL_BANDS);
      this.#column(this.#pending, t * HOP, values);
      for (const value of values) if (value > this.maximum) this.maximum = value;
    }
    this.#pending = this.#pending.slice(count * HOP);
    this.#columns += count;
    return columns;
  }
}

/** The 200 samples from `first` on, in reverse. */
function mirrored(samples: Float32Array, first: number): Float32Array {
  return samples.slice(first, first + PADDING).reverse();
}

function concat(a: Float32Array, b: Float32Array): Float32Array<ArrayBuffer> {
  const joined = new Float32Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** A function that writes the column over `samples[start … start + 399]`: log10 of the power in each band. */
function columnMaker(): (samples: Float32Array, start: number, column: Float32Array) => void {
  // The periodic Hann window: its period is 400, not 399.
  const hann = Float64Array.from(
    { length: FFT_SIZE },
    (_, k) => 0.5 - 0.5 * Math.cos((2 * Math.PI * k) / FFT_SIZE),
  );
  const spectrum = powerSpectrum(FFT_SIZE);
  const windowed = new Float64Array(FFT_SIZE);
  const power = new Float64Array(BINS);
  const triangles = filters();

  return (samples, start, column) => {
    for (let k = 0; k < FFT_SIZE; k++) windowed[k] = samples[start + k]! * hann[k]!;
    spectrum(windowed, power);
    for (let band = 0; band < MEL_BANDS; band++) {
      const { first, weights } = triangles[band]!;
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * power[first + k]!;
      column[band] = sum > 1e-10 ? Math.log10(sum) : LEAST_LOG;
    }
  };
}

/** The bins of one band that are not zero. */
interface Triangle {
  readonly first: number;
  readonly weights: Float32Array;
}

let shared: Triangle[] | undefined;

function filters(): Triangle[] {
  if (shared) return shared;
  const { data } = melFilters();
  shared = Array.from({ length: MEL_BANDS }, (_, band) => {
    const row = data.subarray(band * BINS, (band + 1) * BINS);
    const first = row.findIndex((weight) => weight > 0);
    const last = row.findLastIndex((weight) => weight > 0);
    return { first, weights: row.slice(first, last + 1) };
  });
  return shared;
}

/**
 * Slaney's mel filter bank: [80 bands, 201 bins of 40 Hz]. Each band is a triangle of area one over three
 * neighbours of 82 points that lie evenly on the mel scale between 0 and 8000 Hz.
 *
 * Formula: librosa.filters.mel(sr=16000, n_fft=400, n_mels=80), computed in double, rounded to float32.
 */
export function melFilters(): FloatTensor {
  const top = hertzToMel(SAMPLE_RATE / 2);
  const points = Array.from({ length: MEL_BANDS + 2 }, (_, i) => melToHertz((top * i) / (MEL_BANDS + 1)));
  const bank = tensor([MEL_BANDS, BINS]);
  for (let band = 0; band < MEL_BANDS; band++) {
    const [low, middle, high] = [points[band]!, points[band + 1]!, points[band + 2]!];
    for (let bin = 0; bin < BINS; bin++) {
      const hertz = (bin * SAMPLE_RATE) / FFT_SIZE;
      const slope = Math.min((hertz - low) / (middle - low), (high - hertz) / (high - middle));
      bank.data[band * BINS + bin] = (Math.max(0, slope) * 2) / (high - low);
    }
  }
  return bank;
}

// The scale is straight up to 1000 Hz (= 15 mel) and logarithmic above: 27 mel for each factor of 6.4.
const KNEE = 1000;
const KNEE_MEL = 15;
const LOG_STEP = Math.log(6.4) / 27;

function hertzToMel(hertz: number): number {
  return hertz < KNEE ? (3 * hertz) / 200 : KNEE_MEL + Math.log(hertz / KNEE) / LOG_STEP;
}

function melToHertz(mel: number): number {
  return mel < KNEE_MEL ? (200 * mel) / 3 : KNEE * Math.exp(LOG_STEP * (mel - KNEE_MEL));
}
