import { useEffect, useRef, useState } from 'preact/hooks';
import { clock, percent } from '../format.ts';
import { Icon } from '../parts/icons.tsx';
import { Notice } from '../parts/notice.tsx';
import { readPeaks, Waveform } from '../parts/waveform.tsx';
import { t } from '../texts/texts.ts';
import type { Draft } from './draft.ts';
import { Drop } from './drop.tsx';
import { Recorder } from './recorder.tsx';
import { useSending } from './sending.ts';

/** Larger files are not decoded in the browser just to be drawn. */
const MOST_DRAWN = 200e6;

/** The place for the voice: a track with its waveform. */
export function VoiceTrack({ draft, change }: { draft: Draft; change: (part: Partial<Draft>) => void }) {
  const { sending, send, clear } = useSending();
  const [recording, setRecording] = useState(false);
  const [heard, setHeard] = useState<string>();
  useEffect(() => () => heard && URL.revokeObjectURL(heard), [heard]);
  const take = async (file: Blob, name: string) => {
    const drawn = file.size > MOST_DRAWN ? undefined : file.arrayBuffer().then((bytes) => readPeaks(bytes));
    const [upload, { peaks, seconds }] = await Promise.all([
      send(file, name),
      Promise.resolve(drawn ?? { peaks: [], seconds: 0 }).catch(() => ({ peaks: [], seconds: 0 })),
    ]);
    if (upload === undefined) return;
    const short = peaks.map((peak) => Math.round(peak * 1000) / 1000);
    change({ voice: { upload, name, seconds, peaks: short } });
    setHeard(URL.createObjectURL(file));
  };
  const { voice } = draft;
  return (
    <Drop
      class="track"
      accept="audio/*,video/*"
      label={t('voice.title')}
      onFile={(file) => void take(file, file.name)}
    >
      {(choose) => (
        <>
          {sending.name !== undefined ? (
            <div class="line" role="status">
              <p>{t('voice.sending', { name: sending.name, percent: percent(sending.share) })}</p>
              <div class="bar">
                <i style={{ width: `${sending.share * 100}%` }} />
              </div>
            </div>
          ) : voice ? (
            <Loaded {...{ voice, heard, choose }} />
          ) : (
            <div class="line">
              <h2>{t('voice.drop')}</h2>
              <span class="row">
                <button type="button" class="button quiet" onClick={choose}>
                  <Icon name="file" />
                  {t('voice.choose')}
                </button>
                <button type="button" class="plain" onClick={() => setRecording(true)}>
                  <Icon name="microphone" />
                  {t('voice.record')}
                </button>
              </span>
            </div>
          )}
          {sending.error !== undefined && (
            <Notice error={sending.error}>
              <button type="button" class="plain" onClick={clear}>
                {t('action.dismiss')}
              </button>
            </Notice>
          )}
          {recording && (
            <Recorder
              kind="microphone"
              onClose={() => setRecording(false)}
              onDone={(blob, name) => {
                setRecording(false);
                void take(blob, name);
              }}
            />
          )}
        </>
      )}
    </Drop>
  );
}

interface LoadedProps {
  readonly voice: NonNullable<Draft['voice']>;
  /** Address of the file while this page has it: after a reload it can no longer be heard here. */
  readonly heard: string | undefined;
  readonly choose: () => void;
}

function Loaded({ voice, heard, choose }: LoadedProps) {
  const audio = useRef<HTMLAudioElement>(null);
  const [playing, setPlaying] = useState(false);
  const [played, setPlayed] = useState(0);
  const { name, seconds, peaks } = voice;
  return (
    <div class="loaded">
      {heard !== undefined && (
        <>
          <audio
            {...{ ref: audio, src: heard, preload: 'metadata' }}
            onPlay={() => setPlaying(true)}
            onPause={() => setPlaying(false)}
            onTimeUpdate={({ currentTarget: { currentTime, duration } }) =>
              setPlayed(currentTime / (duration || 1))
            }
          />
          <button
            type="button"
            class="icon"
            aria-label={t(playing ? 'voice.pause' : 'voice.play')}
            onClick={() => void (playing ? audio.current!.pause() : audio.current!.play())}
          >
            <Icon name={playing ? 'pause' : 'play'} />
          </button>
        </>
      )}
      <div class="name">
        <b>{name}</b>
        {seconds > 0 && <span>{clock(seconds)}</span>}
      </div>
      {peaks.length > 0 ? (
        <Waveform {...{ peaks, played }} />
      ) : (
        <p class="waveform">{t('voice.noPicture')}</p>
      )}
      <button
        type="button"
        class="icon"
        aria-label={t('voice.replace')}
        title={t('voice.replace')}
        onClick={choose}
      >
        <Icon name="file" />
      </button>
    </div>
  );
}
