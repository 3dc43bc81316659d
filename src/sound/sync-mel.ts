/**
 * The mel spectrogram that the sync net hears, Wav2Lip's: pre-emphasis, 800 samples every 200, 80 Slaney bands
 * between 55 and 7600 Hz, decibels brought to −4 … 4.
 */
import type { FloatTensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import { powerSpectrum } from './fft.ts';
import { SAMPLE_RATE } from './mel.ts';

const SIZE = 800;
/** Samples from one column to the next. */
export const SYNC_HOP = 200;
const BANDS = 80;
const BINS = SIZE / 2 + 1;
const EMPHASIS = 0.97;

/** samples: 16 kHz mono → [80, T], T = 1 + ⌊samples / 200⌋, 80 columns a second. */
export function syncMel(samples: Float32Array): FloatTensor {
  const columns = 1 + Math.floor(samples.length / SYNC_HOP);
  const mel = tensor([BANDS, columns]);
  const bank = syncMelFilters().data;
  const spectrum = powerSpectrum(SIZE);
  const window = Float64Array.from(
    { length: SIZE },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE),
  );
  const emphasised = (i: number) => {
    if (i < 0 || i >= samples.length) return 0;
    return samples[i]! - (i === 0 ? 0 : EMPHASIS * samples[i - 1]!);
  };
  const power = new Float64Array(BINS);
  for (let t = 0; t < columns; t++) {
    const start = t * SYNC_HOP - SIZE / 2;
    spectrum(
      window.map((weight, i) => weight * emphasised(start + i)),
      power,
    );
    for (let band = 0; band < BANDS; band++) {
      let sum = 0;
      for (let bin = 0; bin < BINS; bin++) {
        const weight = bank[band * BINS + bin]!;
        if (weight !== 0) sum += weight * Math.sqrt(power[bin]!);
      }
      mel.data[band * columns + t] = levelled(20 * Math.log10(Math.max(1e-5, sum)) - 20);
    }
  }
  return mel;
}

/** The columns (80 a second) of 16 frames of 25 fps that start at a frame: 52 of them, end excluded. */
export function syncMelRows(frame: number): { start: number; end: number } {
  const start = Math.floor((80 * frame) / 25);
  return { start, end: start + 52 };
}

/** −100 … 0 dB to −4 … 4. */
function levelled(decibels: number): number {
  return Math.min(Math.max((8 * (decibels + 100)) / 100 - 4, -4), 4);
}

/** The filter bank: [80, 401]. Formula: librosa.filters.mel(sr=16000, n_fft=800, n_mels=80, fmin=55, fmax=7600). */
export function syncMelFilters(): FloatTensor {
  const [lowest, highest] = [hertzToMel(55), hertzToMel(7600)];
  const points = Array.from({ length: BANDS + 2 }, (_, i) =>
    melToHertz(lowest + ((highest - lowest) * i) / (BANDS + 1)),
  );
  const bank = tensor([BANDS, BINS]);
  for (let band = 0; band < BANDS; band++) {
    const [low, middle, high] = points.slice(band, band + 3) as [number, number, number];
    for (let bin = 0; bin < BINS; bin++) {
      const hertz = (bin * SAMPLE_RATE) / SIZE;
      const slope = Math.min((hertz - low) / (middle - low), (high - hertz) / (high - middle));
      bank.data[band * BINS + bin] = (Math.max(0, slope) * 2) / (high - low);
    }
  }
  return bank;
}

// Slaney's scale is straight up to 1000 Hz (15 mel) and logarithmic above: 27 mel for each factor of 6.4.
const LOG_STEP = Math.log(6.4) / 27;

function hertzToMel(hertz: number): number {
  return hertz < 1000 ? (3 * hertz) / 200 : 15 + Math.log(hertz / 1000) / LOG_STEP;
}

function melToHertz(mel: number): number {
  return mel < 15 ? (200 * mel) / 3 : 1000 * Math.exp(LOG_STEP * (mel - 15));
}
