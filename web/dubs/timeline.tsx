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
        {quality?.findings.map(
          ({ start, end, message }, i) =>
            start !== undefined && (
              <i
                key={i}
                class="flag"
                title={message}
                style={{
                  left: share(start, duration),
                  width: share(Math.max((end ?? start) - start, 0.04), duration),
                }}
              />
            ),
        )}
        <i class="head" style={{ left: share(seconds, duration) }} />
        <input
          {...{ type: 'range', min: 0, max: duration, step: 1 / fps, value: seconds }}
          aria-label={t('play.seek')}
          aria-valuetext={clock(seconds, 2)}
          onInput={(event) => onSeek(Number(event.currentTarget.value))}
        />
      </div>
      <div class="scale" aria-hidden="true">
        <span>{t('line.wave')}</span>
        {offsets.length > 0 && <span>{t('line.offset')}</span>}
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
  const { element, width, height } = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (width === 0) return;
    const context = sharpContext(canvas.current!, width, height);
    const [rest, done] = [colour(canvas.current!, '--faint'), colour(canvas.current!, '--accent')];
    if (peaks.length > 0) drawBars(context, peaks, { width, height, played, rest, done });
  }, [peaks, played, width, height]);
  return (
    <div class="wave" ref={element}>
      <canvas ref={canvas} aria-hidden="true" />
    </div>
  );
}

/** The offset as a band round its middle line: above, the lips are late; below, early. Faint where unsure. */
function Offsets({ offsets, duration }: { offsets: readonly OffsetPoint[]; duration: number }) {
  const x = (time: number) => (1000 * time) / duration;
  const y = (offset: number) => 50 - (45 * Math.max(-SCALE, Math.min(SCALE, offset))) / SCALE;
  const width = offsets.length > 1 ? x(offsets[1]!.time) - x(offsets[0]!.time) : 1000;
  return (
    <div class="offsets">
      <svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label={t('line.offset')}>
        <rect class="fine" x="0" y={y(0.045)} width="1000" height={y(-0.045) - y(0.045)} />
        <path class="zero" d="M0 50H1000" />
        {offsets.map(({ time, offset, confidence }) => (
          <path
            key={time}
            class="step"
            opacity={0.25 + 0.75 * Math.min(1, confidence)}
            d={`M${x(time) - width / 2} ${y(offset)}h${width}`}
          />
        ))}
      </svg>
      <span class="late">{t('line.late')}</span>
      <span class="early">{t('line.early')}</span>
    </div>
  );
}
