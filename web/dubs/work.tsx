import { useState } from 'preact/hooks';
import { ApiError, addressOf, api, type DubView } from '../api.ts';
import { number, percent, span } from '../format.ts';
import { Mouth } from '../parts/mouth.tsx';
import { Notice } from '../parts/notice.tsx';
import { t, textFor } from '../texts/texts.ts';

/** The stages of a dub, in order. */
const STAGES = ['open', 'load', 'faces', 'prepare', 'draw', 'write', 'report'];

/** The words for a stage; its own name where the page knows none. */
export function stageName(stage: string): string {
  return textFor(`stage.${stage}`) ?? stage;
}

/** A dub that waits or runs: which stage, how fast, how long still. */
export function AtWork({ dub }: { dub: DubView }) {
  const { progress, position, id } = dub;
  const [stopping, setStopping] = useState(false);
  const stop = () => {
    setStopping(true);
    void api.cancel(id).catch(() => setStopping(false));
  };
  const share = progress && progress.total > 0 ? progress.done / progress.total : 0;
  const at = progress ? STAGES.indexOf(progress.stage) : -1;
  const words = progress
    ? stageName(progress.stage)
    : position
      ? t('work.position', { count: position })
      : t('work.queued');
  return (
    <section class="work" aria-label={words}>
      <Mouth speaking={dub.status === 'PROCESSING'} />
      <h2 aria-live="polite">{words}</h2>
      <div
        class="bar"
        role="progressbar"
        aria-label={words}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
      >
        <i style={{ width: `${share * 100}%` }} />
      </div>
      {progress && progress.total > 0 && (
        <dl class="figures">
          <Figure value={percent(share)}>
            {t('work.frames', { done: progress.done, total: progress.total })}
          </Figure>
          <Figure value={progress.fps ? number(progress.fps, 1) : ''}>{t('work.fps')}</Figure>
          <Figure value={progress.remaining ? span(progress.remaining) : ''}>{t('work.left')}</Figure>
        </dl>
      )}
      <ol class="stages">
        {STAGES.map((stage, i) => (
          <li
            key={stage}
            data-at={i < at ? 'done' : i === at ? 'now' : 'later'}
            aria-current={i === at ? 'step' : undefined}
          >
            {stageName(stage)}
          </li>
        ))}
      </ol>
      <button type="button" class="plain" disabled={stopping} onClick={stop}>
        {t('work.stop')}
      </button>
    </section>
  );
}

function Figure({ value, children }: { value: string; children: string }) {
  return (
    <div data-empty={value === ''}>
      <dt>{children}</dt>
      <dd>{value || '—'}</dd>
    </div>
  );
}

/** A dub that ended without a result: why, and what helps. */
export function NotDone({ dub, again }: { dub: DubView; again: () => void }) {
  const { error, status, id } = dub;
  return (
    <section class="work">
      <Mouth open={0} wide={0.55} />
      <h2>{t(status === 'CANCELED' ? 'work.stopped' : 'work.failed')}</h2>
      {error && <Notice error={new ApiError({ ...error, hint: error.hint ?? '' }, 0)} />}
      <div class="row">
        <button type="button" class="button" onClick={again}>
          {t('work.again')}
        </button>
        {status === 'FAILED' && (
          <a class="plain" href={addressOf(`v1/dubs/${id}/log`)} target="_blank" rel="noreferrer">
            {t('work.log')}
          </a>
        )}
      </div>
    </section>
  );
}
