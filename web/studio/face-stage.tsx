import { useState } from 'preact/hooks';
import type { Box } from '../../src/core/box.ts';
import type { PreviewView } from '../api.ts';
import { clock, percent } from '../format.ts';
import { Icon } from '../parts/icons.tsx';
import { Mouth, WORD } from '../parts/mouth.tsx';
import { Notice } from '../parts/notice.tsx';
import { t } from '../texts/texts.ts';
import type { Draft, DraftFace } from './draft.ts';
import { Drop } from './drop.tsx';
import { type Marks, Overlay } from './overlay.tsx';
import type { PreviewState } from './preview.ts';
import { Recorder } from './recorder.tsx';
import { useSending } from './sending.ts';

interface StageProps {
  readonly draft: Draft;
  readonly preview: PreviewState & { readonly retry: () => void };
  readonly change: (part: Partial<Draft>) => void;
}

/** The large place for the face: empty, on its way, or with its preview. */
export function FaceStage({ draft, preview, change }: StageProps) {
  const { sending, send, clear } = useSending();
  const [recording, setRecording] = useState(false);
  const take = async (file: Blob, name: string) => {
    const [upload, seconds] = await Promise.all([send(file, name), secondsOf(file)]);
    if (upload !== undefined)
      change({ face: { upload, name, seconds }, time: 0, settings: withoutFace(draft) });
  };
  return (
    <Drop
      class="stage"
      accept="video/*,image/*"
      label={t('face.title')}
      onFile={(file) => void take(file, file.name)}
    >
      {(choose) => (
        <>
          {sending.name !== undefined ? (
            <OnItsWay name={sending.name} share={sending.share} />
          ) : draft.face ? (
            <Shown {...{ draft, preview, change, choose }} face={draft.face} />
          ) : (
            <Empty choose={choose} record={() => setRecording(true)} />
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
              kind="camera"
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

function Empty({ choose, record }: { choose: () => void; record: () => void }) {
  return (
    <div class="vacant">
      <div class="word" aria-hidden="true">
        {WORD.map((shape, i) => (
          <Mouth key={i} {...shape} />
        ))}
      </div>
      <h2>{t('face.drop')}</h2>
      <div class="row">
        <button type="button" class="button" onClick={choose}>
          <Icon name="file" />
          {t('face.choose')}
        </button>
        <button type="button" class="plain" onClick={record}>
          <Icon name="camera" />
          {t('face.camera')}
        </button>
      </div>
    </div>
  );
}

function OnItsWay({ name, share }: { name: string; share: number }) {
  return (
    <div class="vacant" role="status">
      <Mouth speaking />
      <p>{t('face.sending', { name, percent: percent(share) })}</p>
      <div class="bar">
        <i style={{ width: `${share * 100}%` }} />
      </div>
    </div>
  );
}

function Shown({
  draft,
  face,
  preview,
  change,
  choose,
}: StageProps & { face: DraftFace; choose: () => void }) {
  const [marks, setMarks] = useState<Marks>({ box: true, points: true, mask: true });
  const [near, setNear] = useState(false);
  const { view, error, pending, retry } = preview;
  return (
    <>
      {view ? (
        <div class="fit">
          <Frame {...{ draft, view, marks, near, pending, change }} />
        </div>
      ) : error === undefined ? (
        <div class="vacant" role="status">
          <Mouth speaking />
          <p>{t('face.looking')}</p>
        </div>
      ) : (
        <div class="vacant">
          <Mouth open={0} wide={0.6} />
        </div>
      )}
      {error !== undefined && (
        <Notice error={error}>
          <button type="button" class="plain" onClick={retry}>
            {t('action.retry')}
          </button>
        </Notice>
      )}
      <div class="desk">
        <fieldset class="marks-shown">
          <legend class="for-readers">{t('face.legend')}</legend>
          {(['mask', 'box', 'points'] as const).map((mark) => (
            <button
              key={mark}
              type="button"
              class="mark"
              aria-pressed={marks[mark]}
              onClick={() => setMarks({ ...marks, [mark]: !marks[mark] })}
            >
              <i class={mark} />
              {t(`face.${mark}`)}
            </button>
          ))}
          <button type="button" class="mark" aria-pressed={near} onClick={() => setNear(!near)}>
            <Icon name="zoom" />
            {t('face.near')}
          </button>
        </fieldset>
        {face.seconds > 0.1 && (
          <label class="moment">
            <span class="for-readers">{t('face.moment')}</span>
            <input
              {...{
                type: 'range',
                min: 0,
                max: Math.max(0, face.seconds - 0.08),
                step: 0.04,
                value: draft.time,
              }}
              style={{ '--at': `${(draft.time / face.seconds) * 100}%` }}
              onInput={(event) => change({ time: Number(event.currentTarget.value) })}
            />
            <span>{clock(draft.time, 2)}</span>
          </label>
        )}
        <button type="button" class="mark" onClick={choose}>
          <Icon name="file" />
          {t('face.replace')}
        </button>
      </div>
    </>
  );
}

interface FrameProps extends Omit<StageProps, 'preview'> {
  readonly view: NonNullable<PreviewState['view']>;
  readonly marks: Marks;
  /** Only the face is shown, as large as it goes. */
  readonly near: boolean;
  readonly pending: boolean;
}

function Frame({ draft, view, marks, near, pending, change }: FrameProps) {
  const { width, height, found, face } = view.layers;
  return (
    <figure
      class="frame"
      style={{ '--ratio': String(width / height) }}
      data-pending={pending}
      aria-busy={pending}
    >
      <div class="layers" style={near ? nearStyle(view) : {}}>
        <img src={view.picture} alt={t('face.alt')} />
        <Overlay {...{ view, marks }} settings={draft.settings} />
      </div>
      {found.length > 1 && !near && (
        <div class="choices">
          {found.map((box, i) => (
            <button
              key={i}
              type="button"
              aria-pressed={isSame(box, face)}
              title={t('face.nth', { n: i + 1, count: found.length })}
              style={placeOf(box, width, height)}
              onClick={() => change({ settings: { ...draft.settings, face: middleOf(box) } })}
            >
              <span>{i + 1}</span>
            </button>
          ))}
        </div>
      )}
      {found.length > 1 && !near && <figcaption>{t('face.which')}</figcaption>}
    </figure>
  );
}

/** Brings the face to the middle, as large as it goes with some room, but shows nothing outside the picture. */
function nearStyle({ box, layers: { width, height } }: PreviewView): Record<string, string> {
  const scale = Math.min(6, Math.max(1, (0.74 * height) / (box.y2 - box.y1)));
  const shift = (middle: number, whole: number) =>
    Math.min(0, Math.max(1 - scale, 0.5 - (middle / whole) * scale));
  const x = shift((box.x1 + box.x2) / 2, width);
  const y = shift((box.y1 + box.y2) / 2, height);
  return { '--near': String(scale), transform: `translate(${x * 100}%, ${y * 100}%) scale(${scale})` };
}

function placeOf({ x1, y1, x2, y2 }: Box, width: number, height: number) {
  const part = (value: number, whole: number) => `${((100 * value) / whole).toFixed(2)}%`;
  return {
    ...{ left: part(x1, width), top: part(y1, height) },
    ...{ width: part(x2 - x1, width), height: part(y2 - y1, height) },
  };
}

function middleOf({ x1, y1, x2, y2 }: Box): string {
  return `${Math.max(0, Math.round((x1 + x2) / 2))},${Math.max(0, Math.round((y1 + y2) / 2))}`;
}

/** Whether two boxes lie over each other: a tracked box differs a little from a detected one. */
function isSame(a: Box, b: Box): boolean {
  const middle = { x: (b.x1 + b.x2) / 2, y: (b.y1 + b.y2) / 2 };
  return middle.x > a.x1 && middle.x < a.x2 && middle.y > a.y1 && middle.y < a.y2;
}

/** The settings without the choice of a face, which belongs to the video. */
function withoutFace({ settings: { face: _, ...rest } }: Draft): Draft['settings'] {
  return rest;
}

/** Seconds of a video by the browser's own reading; 0 for pictures and for what it cannot read. */
function secondsOf(file: Blob): Promise<number> {
  if (file.type.startsWith('image/')) return Promise.resolve(0);
  return new Promise((done) => {
    const video = document.createElement('video');
    const address = URL.createObjectURL(file);
    const end = () => {
      URL.revokeObjectURL(address);
      done(Number.isFinite(video.duration) ? video.duration : 0);
    };
    video.preload = 'metadata';
    video.onloadedmetadata = end;
    video.onerror = end;
    video.src = address;
  });
}
