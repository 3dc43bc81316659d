import { useEffect, useRef, useState } from 'preact/hooks';
import { clock } from '../format.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icons.tsx';
import { Mouth } from '../parts/mouth.tsx';
import { t } from '../texts/texts.ts';

interface RecorderProps {
  readonly kind: 'camera' | 'microphone';
  readonly onDone: (recording: Blob, name: string) => void;
  readonly onClose: () => void;
}

const WANTED = {
  camera: { video: { width: { ideal: 1280 }, facingMode: 'user' }, audio: false },
  microphone: { audio: true, video: false },
} as const;

/** In order of preference; browsers differ in what they can write. */
const TYPES = {
  camera: ['video/mp4;codecs=avc1.42E01E', 'video/webm;codecs=vp9', 'video/webm'],
  microphone: ['audio/mp4', 'audio/webm;codecs=opus', 'audio/webm', 'audio/ogg'],
} as const;

/** Records from the camera or the microphone; what was recorded is looked at or heard before it is used. */
export function Recorder({ kind, onDone, onClose }: RecorderProps) {
  const { stream, denied } = useStream(kind);
  const { recording, seconds, result, start, stop, forget } = useRecording(stream, kind);
  const use = () => onDone(result!.blob, nameOf(kind, result!.blob));
  return (
    <Dialog label={t(`recorder.${kind}`)} onClose={onClose}>
      <div class="stack recorder">
        <h2>{t(`recorder.${kind}`)}</h2>
        <p>{denied ? t('recorder.denied') : t(`recorder.${kind}Hint`)}</p>
        {kind === 'camera' ? (
          <CameraView stream={stream} address={result?.address} />
        ) : result ? (
          // biome-ignore lint/a11y/useMediaCaption: what one has just said oneself
          <audio src={result.address} controls />
        ) : (
          <Level stream={stream} />
        )}
        <div class="row">
          {recording && <output class="elapsed">{clock(seconds)}</output>}
          <button type="button" class="plain" onClick={onClose}>
            {t('recorder.cancel')}
          </button>
          {result && (
            <button type="button" class="plain" onClick={forget}>
              <Icon name="reset" />
              {t('recorder.again')}
            </button>
          )}
          {result ? (
            <button type="button" class="button" onClick={use}>
              {t('recorder.use')}
            </button>
          ) : (
            <button type="button" class="button" disabled={!stream} onClick={recording ? stop : start}>
              {t(recording ? 'recorder.stop' : 'recorder.start')}
            </button>
          )}
        </div>
      </div>
    </Dialog>
  );
}

function nameOf(kind: RecorderProps['kind'], { type }: Blob): string {
  const now = new Date();
  const time = [now.getHours(), now.getMinutes()].map((part) => String(part).padStart(2, '0')).join('.');
  return `${kind} ${time}.${/mp4/.test(type) ? 'mp4' : /ogg/.test(type) ? 'ogg' : 'webm'}`;
}

/** The device's stream while the recorder is open. */
function useStream(kind: RecorderProps['kind']): { stream: MediaStream | undefined; denied: boolean } {
  const [stream, setStream] = useState<MediaStream>();
  const [denied, setDenied] = useState(false);
  useEffect(() => {
    let closed = false;
    let opened: MediaStream | undefined;
    const end = () => {
      for (const track of opened?.getTracks() ?? []) track.stop();
    };
    // Over plain http from another machine browsers have no mediaDevices at all.
    const asked =
      navigator.mediaDevices?.getUserMedia(WANTED[kind]) ?? Promise.reject(new Error('no devices'));
    asked.then(
      (given) => {
        opened = given;
        if (closed) end();
        else setStream(given);
      },
      () => setDenied(true),
    );
    return () => {
      closed = true;
      end();
    };
  }, []);
  return { stream, denied };
}

function useRecording(stream: MediaStream | undefined, kind: RecorderProps['kind']) {
  const recorder = useRef<MediaRecorder | null>(null);
  const [recording, setRecording] = useState(false);
  const [seconds, setSeconds] = useState(0);
  const [result, setResult] = useState<{ blob: Blob; address: string }>();
  useEffect(() => {
    if (!recording) return;
    const begun = performance.now();
    const timer = setInterval(() => setSeconds((performance.now() - begun) / 1000), 100);
    return () => clearInterval(timer);
  }, [recording]);
  useEffect(() => () => result && URL.revokeObjectURL(result.address), [result]);
  const start = () => {
    const mimeType = TYPES[kind].find((type) => MediaRecorder.isTypeSupported(type));
    const made = new MediaRecorder(stream!, mimeType === undefined ? {} : { mimeType });
    const parts: Blob[] = [];
    made.ondataavailable = ({ data }) => parts.push(data);
    made.onstop = () => {
      const blob = new Blob(parts, { type: made.mimeType });
      setResult({ blob, address: URL.createObjectURL(blob) });
      setRecording(false);
    };
    made.start(1000);
    recorder.current = made;
    setSeconds(0);
    setRecording(true);
  };
  return {
    recording,
    seconds,
    result,
    start,
    stop: () => recorder.current?.stop(),
    forget: () => setResult(undefined),
  };
}

function CameraView({ stream, address }: { stream: MediaStream | undefined; address: string | undefined }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    video.current!.srcObject = address === undefined ? (stream ?? null) : null;
    if (address !== undefined) video.current!.src = address;
  }, [stream, address]);
  return <video ref={video} autoPlay muted playsInline controls={address !== undefined} />;
}

/** A mouth that opens as loud as the microphone hears. */
function Level({ stream }: { stream: MediaStream | undefined }) {
  const [level, setLevel] = useState(0);
  useEffect(() => {
    if (!stream) return;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let frame = requestAnimationFrame(function look() {
      analyser.getFloatTimeDomainData(samples);
      const loud = Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
      setLevel((before) => Math.max(Math.min(1, loud * 6), before * 0.82));
      frame = requestAnimationFrame(look);
    });
    return () => {
      cancelAnimationFrame(frame);
      void context.close();
    };
  }, [stream]);
  return <Mouth open={level} wide={0.85 - level * 0.3} />;
}
