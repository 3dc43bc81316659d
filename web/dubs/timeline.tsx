import { useEffect, useRef, useState } from 'preact/hooks';
import { addressOf, type DubView } from '../api.ts';
import { clock } from '../format.ts';
import { colour, drawBars, readPeaks, sharpContext, useSize } from '../parts/waveform.tsx';
import { t } from '../texts/texts.ts';
import type { OffsetPoint, Quality } from './quality.ts';

interface TimelineProps {
  readonly dub: DubView;
  readonly quality: Quality | undefined;
  readonly seconds: number;
  readonly onSeek: (seconds: number) => void;
}

/** Larger results are not fetched as a whole to draw their sound. */
const MOST_BYTES = 150e6;

/** Pixels that the bars are high. */
const WAVE = 60;

/** Seconds that the scale of the lips reaches up and down. */
const SCALE = 0.2;

/** The sound of the result and what the report measured, over one axis of time. */
export function Timeline({ dub, quality, seconds, onSeek }: TimelineProps) {
  const { duration, fps } = dub.result!;
  const peaks = usePeaks(dub);
  const offsets = quality?.offsets ?? [];
  return (
    <div class="timeline">
      <div class="tracks">
        <Wave {...{ peaks, played: duration > 0 ? seconds / duration : 0 }} />
        {offsets.length > 0 && <Offsets {...{ offsets, duration }} />}
        {quality?.findings.flatMap(({ spans, title }) =>
          spans.map(({ start, end }) => (
            <i
              key={`${title} ${start}`}
              class="flag"
              title={title}
              style={{ left: share(start, duration), width: share(end - start, duration) }}
            />
          )),
        )}
        <i class="head" style={{ left: share(seconds, duration) }} />
        <input
          type="range"
          {...{ min: 0, max: duration, step: 1 / fps, value: seconds }}
          aria-label={t('play.seek')}
          aria-valuetext={clock(seconds, 2)}
          onInput={(event) => onSeek(Number(event.currentTarget.value))}
        />
      </div>
    </div>
  );
}

function share(seconds: number, duration: number): string {
  return `${(duration > 0 ? (100 * seconds) / duration : 0).toFixed(3)}%`;
}

/** The sound of the result, decoded once. */
function usePeaks({ id, result }: DubView): readonly number[] {
  const [peaks, setPeaks] = useState<readonly number[]>([]);
  useEffect(() => {
    setPeaks([]);
    if (result!.bytes > MOST_BYTES) return;
    const gone = new AbortController();
    fetch(addressOf(`v1/dubs/${id}/result`), { signal: gone.signal })
      .then((answer) => answer.arrayBuffer())
      .then((bytes) => readPeaks(bytes))
      .then(
        (read) => setPeaks(read.peaks),
        () => {}, // a codec that this browser lacks: the timeline goes on without a waveform
      );
    return () => gone.abort();
  }, [id]);
  return peaks;
}

function Wave({ peaks, played }: { peaks: readonly number[]; played: number }) {
  const { element, width } = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (width === 0) return;
    const context = sharpContext(canvas.current!, width, WAVE);
    const [rest, done] = [colour(canvas.current!, '--faint'), colour(canvas.current!, '--accent')];
    if (peaks.length > 0) drawBars(context, peaks, { width, height: WAVE, played, rest, done });
  }, [peaks, played, width]);
  return (
    <div class="wave" ref={element}>
      <span class="caption">{t('line.wave')}</span>
      <canvas ref={canvas} />
    </div>
  );
}

/** The offset as a band round its middle line: above, the lips are late; below, early. Faint where unsure. */
function Offsets({ offsets, duration }: { offsets: readonly OffsetPoint[]; duration: number }) {
  const x = (time: number) => (1000 * time) / duration;
  const y = (offset: number) => 50 - (45 * Math.max(-SCALE, Math.min(SCALE, offset))) / SCALE;
  return (
    <div class="offsets">
      <span class="caption">{t('line.offset')}</span>
      <svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label={t('line.offset')}>
        <rect class="fine" x="0" y={y(0.045)} width="1000" height={y(-0.045) - y(0.045)} />
        <path class="zero" d="M0 50H1000" />
        {offsets.map(({ start, end, offset, confidence }, i) => (
          <path
            key={start}
            class="step"
            opacity={0.25 + 0.75 * Math.min(1, confidence)}
            // Stretches overlap; each is drawn as far as the next one begins.
            d={`M${x(start)} ${y(offset)}H${x(offsets[i + 1]?.start ?? end)}`}
          />
        ))}
      </svg>
      <span class="late">{t('line.late')}</span>
      <span class="early">{t('line.early')}</span>
    </div>
  );
}
