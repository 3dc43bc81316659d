/** Plays the result, and lets the source follow it frame by frame. */
import type { RefObject } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { DubView } from '../api.ts';
import { frameAt, pairing } from './pairing.ts';

/** The result as it plays, and what can be done with it. */
export interface Clockwork {
  readonly frame: number;
  readonly seconds: number;
  readonly playing: boolean;
  readonly muted: boolean;
  readonly speed: number;
  readonly toggle: () => void;
  readonly step: (frames: number) => void;
  readonly seek: (seconds: number) => void;
  readonly mute: () => void;
  readonly setSpeed: (speed: number) => void;
}

/** Seconds by which a playing source may be away from its place before it is put there. */
const LEEWAY = 0.06;

/** Follows `result`, moves `source` along. */
export function useClockwork(
  dub: DubView,
  result: RefObject<HTMLVideoElement | null>,
  source: RefObject<HTMLVideoElement | null>,
): Clockwork {
  const { frames, fps } = dub.result!;
  const placeOf = useMemo(() => pairing(dub), [dub.id]);
  const [seconds, setSeconds] = useState(0);
  const [playing, setPlaying] = useState(false);
  const [muted, setMuted] = useState(false);
  const [speed, setSpeedNow] = useState(1);

  useEffect(() => {
    const video = result.current!;
    let called = 0;
    const show = (time: number) => {
      setSeconds(time);
      const { current } = source;
      if (current) followResult(current, video, placeOf(frameAt(time, { frames, fps })));
    };
    const onFrame: VideoFrameRequestCallback = (_, { mediaTime }) => {
      show(mediaTime);
      called = video.requestVideoFrameCallback(onFrame);
    };
    called = video.requestVideoFrameCallback(onFrame);
    const onPlay = () => setPlaying(!video.paused);
    const onSeeked = () => show(video.currentTime);
    for (const name of ['play', 'pause', 'ended']) video.addEventListener(name, onPlay);
    for (const name of ['pause', 'seeked', 'loadeddata']) video.addEventListener(name, onSeeked);
    const follower = source.current;
    follower?.addEventListener('loadeddata', onSeeked);
    return () => {
      video.cancelVideoFrameCallback(called);
      for (const name of ['play', 'pause', 'ended']) video.removeEventListener(name, onPlay);
      for (const name of ['pause', 'seeked', 'loadeddata']) video.removeEventListener(name, onSeeked);
      follower?.removeEventListener('loadeddata', onSeeked);
    };
  }, [dub.id]);

  const seek = (to: number) => {
    // The middle of a frame: its edge may show the frame before.
    const frame = frameAt(to, { frames, fps });
    result.current!.currentTime = (frame + 0.5) / fps;
    setSeconds((frame + 0.5) / fps);
  };
  return {
    ...{ seconds, playing, muted, speed, seek, frame: frameAt(seconds, { frames, fps }) },
    toggle: () =>
      void (result.current!.paused ? result.current!.play().catch(() => {}) : result.current!.pause()),
    step: (by) => {
      result.current!.pause();
      seek((frameAt(result.current!.currentTime, { frames, fps }) + by + 0.5) / fps);
    },
    mute: () => {
      result.current!.muted = !muted;
      setMuted(!muted);
    },
    setSpeed: (next) => {
      result.current!.playbackRate = next;
      setSpeedNow(next);
    },
  };
}

/** A source plays by itself as long as it runs forward; backward it is put from frame to frame. */
function followResult(
  source: HTMLVideoElement,
  result: HTMLVideoElement,
  { seconds, speed }: ReturnType<ReturnType<typeof pairing>>,
): void {
  const runs = !result.paused && !result.ended && speed > 0;
  const away = Math.abs(source.currentTime - seconds);
  if (!runs) {
    if (!source.paused) source.pause();
    if (away > 0.005 && !source.seeking) source.currentTime = seconds;
    return;
  }
  source.playbackRate = Math.min(16, Math.max(0.0625, result.playbackRate * speed));
  if (away > LEEWAY * Math.max(1, source.playbackRate) && !source.seeking) source.currentTime = seconds;
  if (source.paused) void source.play().catch(() => {});
}
