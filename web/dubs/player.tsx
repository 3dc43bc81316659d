import { useEffect, useRef, useState } from 'preact/hooks';
import { addressOf, type DubView } from '../api.ts';
import { clock } from '../format.ts';
import { Icon, type IconName } from '../parts/icons.tsx';
import { t } from '../texts/texts.ts';
import { type Clockwork, useClockwork } from './clockwork.ts';
import { mouthPlace, type Spot, USUAL_SPOT } from './mouth-place.ts';
import type { Quality } from './quality.ts';
import { Timeline } from './timeline.tsx';

/** How result and source are shown. */
type View = 'side' | 'wipe' | 'result';

const VIEWS: readonly { readonly view: View; readonly icon: IconName }[] = [
  { view: 'side', icon: 'side' },
  { view: 'wipe', icon: 'wipe' },
  { view: 'result', icon: 'only' },
];
const SPEEDS = [0.25, 0.5, 1, 2];
const ZOOM = 3.2;

interface PlayerProps {
  readonly dub: DubView;
  readonly quality: Quality | undefined;
  /** A moment that was asked for elsewhere on the page. */
  readonly seek: { readonly seconds: number } | undefined;
}

/** The result beside its source: left real, right generated. */
export function Player({ dub, quality, seek }: PlayerProps) {
  const result = useRef<HTMLVideoElement>(null);
  const source = useRef<HTMLVideoElement>(null);
  const picture = useSourceKind(dub.id);
  const [view, setView] = useState<View>('side');
  const [cut, setCut] = useState(50);
  const [spot, setSpot] = useState<Spot>();
  const [ratio, setRatio] = useState(16 / 9);
  const [broken, setBroken] = useState<{ source?: boolean; result?: boolean }>({});
  const clockwork = useClockwork(dub, result, source);
  useEffect(() => {
    if (seek) clockwork.seek(seek.seconds);
  }, [seek]);

  const zoom = () => setSpot(spot ? undefined : placeNow());
  const placeNow = (): Spot => {
    const real = document.querySelector<HTMLVideoElement | HTMLImageElement>('.real :is(video, img)');
    if (!real || !result.current || broken.source) return USUAL_SPOT;
    try {
      return mouthPlace(real, result.current, ratio);
    } catch {
      return USUAL_SPOT; // a picture that has not come yet
    }
  };
  useKeys(clockwork, { setView, zoom });

  const address = (what: string) => addressOf(`v1/dubs/${dub.id}/${what}`);
  const shown = broken.source ? 'result' : view;
  const style = { '--ratio': String(ratio), '--cut': `${cut}%`, ...zoomStyle(spot) };
  return (
    <section class="player" aria-label={t('play.view')}>
      <div class="screen" data-view={shown} data-zoom={spot !== undefined} style={style}>
        <figure class="real">
          <div>
            {picture === 'image' ? (
              <img src={address('source')} alt={t('play.real')} />
            ) : (
              picture === 'video' && (
                <video
                  {...{
                    ref: source,
                    src: address('source'),
                    muted: true,
                    playsInline: true,
                    preload: 'auto',
                  }}
                  aria-label={t('play.real')}
                  onError={() => setBroken((before) => ({ ...before, source: true }))}
                />
              )
            )}
          </div>
          <figcaption>{t('play.real')}</figcaption>
        </figure>
        <figure class="generated">
          <div>
            <video
              {...{ ref: result, src: address('result'), playsInline: true, preload: 'auto' }}
              aria-label={t('play.generated')}
              onClick={clockwork.toggle}
              onLoadedMetadata={({ currentTarget: { videoWidth, videoHeight } }) => {
                if (videoHeight > 0) setRatio(videoWidth / videoHeight);
              }}
              onError={() => setBroken((before) => ({ ...before, result: true }))}
            />
          </div>
          <figcaption>{t('play.generated')}</figcaption>
        </figure>
        {shown === 'wipe' && (
          <label class="divider">
            <span class="for-readers">{t('play.divider')}</span>
            <input
              {...{ type: 'range', min: 0, max: 100, step: 0.5, value: cut }}
              onInput={(event) => setCut(Number(event.currentTarget.value))}
            />
            <i aria-hidden="true" />
          </label>
        )}
        {(broken.source || broken.result) && (
          <p class="broken" role="status">
            {t(broken.result ? 'play.noResult' : 'play.noSource')}
          </p>
        )}
      </div>
      <Transport
        {...{ clockwork, dub, view: shown, setView, zoomed: spot !== undefined, zoom }}
        alone={broken.source === true}
      />
      <Timeline {...{ dub, quality }} seconds={clockwork.seconds} onSeek={clockwork.seek} />
    </section>
  );
}

/** Whether the source is a picture or a video, by the type that the service names. */
function useSourceKind(id: string): 'image' | 'video' | undefined {
  const [kind, setKind] = useState<'image' | 'video'>();
  useEffect(() => {
    setKind(undefined);
    fetch(addressOf(`v1/dubs/${id}/source`), { method: 'HEAD' }).then(
      ({ headers }) => setKind(headers.get('content-type')?.startsWith('image/') ? 'image' : 'video'),
      () => setKind('video'),
    );
  }, [id]);
  return kind;
}

/** Brings a spot to the middle, but never shows what lies outside the picture. */
function zoomStyle(spot: Spot | undefined): Record<string, string> {
  if (!spot) return {};
  const shift = (place: number) => Math.min(0, Math.max(1 - ZOOM, 0.5 - place * ZOOM));
  return {
    '--zoom': String(ZOOM),
    '--x': `${(shift(spot.x) * 100).toFixed(2)}%`,
    '--y': `${(shift(spot.y) * 100).toFixed(2)}%`,
  };
}

interface TransportProps {
  readonly clockwork: Clockwork;
  readonly dub: DubView;
  readonly view: View;
  readonly setView: (view: View) => void;
  readonly zoomed: boolean;
  readonly zoom: () => void;
  /** There is nothing to compare with. */
  readonly alone: boolean;
}

function Transport({ clockwork, dub, view, setView, zoomed, zoom, alone }: TransportProps) {
  const { playing, muted, toggle, step, mute, seconds, frame, speed, setSpeed } = clockwork;
  const button = (name: Parameters<typeof t>[0], icon: IconName, onClick: () => void, pressed?: boolean) => (
    <button
      type="button"
      class="icon"
      aria-label={t(name)}
      title={t(name)}
      aria-pressed={pressed}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
  return (
    <div class="transport">
      <div class="row">
        {button('play.back', 'back', () => step(-1))}
        <button
          type="button"
          class="icon main"
          aria-label={t(playing ? 'play.pause' : 'play.play')}
          onClick={toggle}
        >
          <Icon name={playing ? 'pause' : 'play'} />
        </button>
        {button('play.forward', 'forward', () => step(1))}
        <p class="time">
          <b>{clock(seconds, 2)}</b>
          <span>
            {t('play.frame', { frame })} / {dub.result!.frames}
          </span>
        </p>
      </div>
      <div class="row">
        {!alone && (
          <div class="segments" role="radiogroup" aria-label={t('play.view')}>
            {VIEWS.map((one) => (
              <label key={one.view} title={t(`play.${one.view}`)}>
                <input
                  {...{ type: 'radio', name: 'view', checked: one.view === view }}
                  aria-label={t(`play.${one.view}`)}
                  onChange={() => setView(one.view)}
                />
                <Icon name={one.icon} />
              </label>
            ))}
          </div>
        )}
        {button('play.zoom', 'zoom', zoom, zoomed)}
        {button(muted ? 'play.unmute' : 'play.mute', muted ? 'mute' : 'sound', mute)}
        <select
          aria-label={t('play.speed')}
          value={String(speed)}
          onChange={(event) => setSpeed(Number(event.currentTarget.value))}
        >
          {SPEEDS.map((one) => (
            <option key={one} value={String(one)}>
              {one}×
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}

/** The keys of the player, where nothing that takes them itself has the focus. */
function useKeys(
  { toggle, step, mute, seek, seconds }: Clockwork,
  { setView, zoom }: { setView: (view: View) => void; zoom: () => void },
): void {
  useEffect(() => {
    const actions: Readonly<Record<string, (far: boolean) => void>> = {
      ' ': toggle,
      ArrowLeft: (far) => (far ? seek(seconds - 1) : step(-1)),
      ArrowRight: (far) => (far ? seek(seconds + 1) : step(1)),
      s: () => setView('side'),
      w: () => setView('wipe'),
      r: () => setView('result'),
      z: zoom,
      m: mute,
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTaken(event)) return;
      const act = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act) return;
      event.preventDefault();
      act(event.shiftKey);
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  });
}

/** Whether what has the focus wants the key itself: fields all of them, sliders the arrows, buttons the space bar. */
function isTaken({ key, target }: KeyboardEvent): boolean {
  if (!(target instanceof Element)) return false;
  if (target.closest('select, dialog, summary, input:not([type=range], [type=radio])')) return true;
  if (target.closest('input')) return key.startsWith('Arrow');
  return key === ' ' && target.closest('button, a') !== null;
}
