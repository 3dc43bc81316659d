/** The loudness of a recording as bars, drawn on a canvas. */
import { useEffect, useRef, useState } from 'preact/hooks';

/** The loudest sample (0 … 1) in each of `count` equal parts of a sound. */
function peaksOf(samples: Float32Array, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const start = Math.floor((i * samples.length) / count);
    const end = Math.max(start + 1, Math.floor(((i + 1) * samples.length) / count));
    let loudest = 0;
    for (let at = start; at < end && at < samples.length; at++)
      loudest = Math.max(loudest, Math.abs(samples[at]!));
    return Math.min(1, loudest);
  });
}

/** Peaks and length of an encoded sound, by the browser's own decoder. Throws where it cannot. */
export async function readPeaks(
  bytes: ArrayBuffer,
  count = 900,
): Promise<{ peaks: number[]; seconds: number }> {
  const context = new OfflineAudioContext(1, 1, 16_000);
  const sound = await context.decodeAudioData(bytes);
  return { peaks: peaksOf(sound.getChannelData(0), count), seconds: sound.duration };
}

/** The size in CSS pixels of an element, kept up to date. */
export function useSize<E extends HTMLElement>() {
  const element = useRef<E>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      setSize({ width, height });
    });
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, []);
  return { element, ...size };
}

/** Makes a canvas sharp on this screen, and its units CSS pixels. */
export function sharpContext(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): CanvasRenderingContext2D {
  const dense = devicePixelRatio || 1;
  canvas.width = Math.round(width * dense);
  canvas.height = Math.round(height * dense);
  const context = canvas.getContext('2d')!;
  context.scale(dense, dense);
  return context;
}

/** A colour of the theme. */
export function colour(of: Element, name: string): string {
  return getComputedStyle(of).getPropertyValue(name).trim();
}

const BAR = 3;
const STEP = 5;

/** Draws bars for `peaks` across `width` × `height`, those before `played` (0 … 1) in the accent. */
export function drawBars(
  context: CanvasRenderingContext2D,
  peaks: readonly number[],
  {
    width,
    height,
    played,
    rest,
    done,
  }: { width: number; height: number; played: number; rest: string; done: string },
): void {
  const bars = Math.max(1, Math.floor(width / STEP));
  const loudest = Math.max(0.05, ...peaks);
  for (let i = 0; i < bars; i++) {
    const start = Math.floor((i * peaks.length) / bars);
    const end = Math.max(start + 1, Math.floor(((i + 1) * peaks.length) / bars));
    const peak = Math.max(...peaks.slice(start, end)) / loudest;
    const tall = Math.max(3, peak ** 0.8 * height);
    context.fillStyle = (i + 0.5) / bars < played ? done : rest;
    context.beginPath();
    context.roundRect(i * STEP, (height - tall) / 2, BAR, tall, BAR / 2);
    context.fill();
  }
}

/** The waveform of a recording, and how much of it has been heard. */
export function Waveform({ peaks, played }: { peaks: readonly number[]; played: number }) {
  const { element, width, height } = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (width === 0) return;
    const context = sharpContext(canvas.current!, width, height);
    const [rest, done] = [colour(canvas.current!, '--faint'), colour(canvas.current!, '--accent')];
    drawBars(context, peaks, { width, height, played, rest, done });
  });
  return (
    <div class="waveform" ref={element}>
      <canvas ref={canvas} />
    </div>
  );
}
