import { useEffect, useState } from 'preact/hooks';
import { addressOf, api, type DubView, follow, type Settings } from '../api.ts';
import { clock, moment, number, size, span } from '../format.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icons.tsx';
import { Mouth } from '../parts/mouth.tsx';
import { Notice } from '../parts/notice.tsx';
import { goTo } from '../route.ts';
import { keepSettings } from '../studio/draft.ts';
import { t } from '../texts/texts.ts';
import { Findings } from './findings.tsx';
import { isOpen } from './list.tsx';
import { Player } from './player.tsx';
import { type Quality, readQuality } from './quality.ts';
import { AtWork, NotDone } from './work.tsx';

/** One dub, from the queue to its result. */
export function Dub({ id }: { id: string }) {
  const { dub, error } = useDub(id);
  const quality = useQuality(dub);
  const [seek, setSeek] = useState<{ seconds: number }>();
  if (!dub)
    return (
      <main class="page">
        {error === undefined ? (
          <div class="empty" role="status">
            <Mouth speaking />
          </div>
        ) : (
          <Notice error={error} />
        )}
      </main>
    );
  const again = () => {
    keepSettings(chosenOf(dub));
    goTo('#/');
  };
  return (
    <main class="page">
      <header>
        <div>
          <h1>{dub.name ?? t('dubs.untitled')}</h1>
          <p>
            {t(`status.${dub.status}`)} · {moment(dub.createdAt)} · {dub.model}
          </p>
        </div>
        <Actions dub={dub} again={again} />
      </header>
      {isOpen(dub) && <AtWork dub={dub} />}
      {!isOpen(dub) && dub.status !== 'COMPLETED' && <NotDone {...{ dub, again }} />}
      {dub.status === 'COMPLETED' && dub.result && (
        <div class="watch">
          <Player {...{ dub, quality, seek }} />
          <aside>
            {quality && <Findings {...{ id, quality }} onSeek={(seconds) => setSeek({ seconds })} />}
            <Facts dub={dub} />
          </aside>
        </div>
      )}
    </main>
  );
}

/** The dub as it is now, followed until it has ended. */
function useDub(id: string): { dub: DubView | undefined; error: unknown } {
  const [dub, setDub] = useState<DubView>();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    setDub(undefined);
    setError(undefined);
    let end = () => {};
    let closed = false;
    api.dub(id).then((found) => {
      if (closed) return;
      setDub(found);
      if (isOpen(found)) end = follow(id, setDub, () => goTo('#/dubs'));
    }, setError);
    return () => {
      closed = true;
      end();
    };
  }, [id]);
  return { dub, error };
}

/** What the report says; undefined as long as there is none. */
function useQuality(dub: DubView | undefined): Quality | undefined {
  const [quality, setQuality] = useState<Quality>();
  const done = dub?.status === 'COMPLETED' ? dub.id : undefined;
  useEffect(() => {
    setQuality(undefined);
    if (done !== undefined)
      api.report(done).then(
        (report) => setQuality(readQuality(report)),
        () => {},
      );
  }, [done]);
  return quality;
}

/** The settings that were given, without those that the service filled in for everybody. */
function chosenOf({ options }: DubView): Settings {
  const { syncMode, bboxShift, extraMargin, parsingMode, leftCheekWidth, rightCheekWidth, silence, model } =
    options;
  const all = {
    syncMode,
    bboxShift,
    extraMargin,
    parsingMode,
    leftCheekWidth,
    rightCheekWidth,
    silence,
    model,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Settings;
}

function Actions({ dub, again }: { dub: DubView; again: () => void }) {
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState<unknown>();
  const remove = () => api.remove(dub.id).then(() => goTo('#/dubs'), setError);
  return (
    <div class="row">
      {dub.result && (
        <>
          <button type="button" class="plain" onClick={again}>
            <Icon name="tune" />
            {t('action.tuneAgain')}
          </button>
          <a class="button quiet" href={addressOf(`v1/dubs/${dub.id}/result?download=true`)} download>
            <Icon name="download" />
            {t('action.download')}
          </a>
        </>
      )}
      <button
        type="button"
        class="icon"
        aria-label={t('action.delete')}
        title={t('action.delete')}
        onClick={() => setAsking(true)}
      >
        <Icon name="remove" />
      </button>
      {asking && (
        <Dialog label={t('action.deleteSure')} onClose={() => setAsking(false)}>
          <div class="stack">
            <h2>{t('action.deleteSure')}</h2>
            <p>{t('action.deleteHint')}</p>
            {error !== undefined && <Notice error={error} />}
            <div class="row">
              <button type="button" class="plain" onClick={() => setAsking(false)}>
                {t('action.keep')}
              </button>
              <button type="button" class="button" onClick={() => void remove()}>
                {t('action.delete')}
              </button>
            </div>
          </div>
        </Dialog>
      )}
    </div>
  );
}

function Facts({ dub: { result, model, createdAt, startedAt, finishedAt, warnings } }: { dub: DubView }) {
  const took = startedAt && finishedAt ? (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000 : undefined;
  const rows: [string, string][] = [
    [t('facts.model'), model],
    [t('facts.length'), clock(result!.duration)],
    [t('facts.frames'), `${number(result!.frames)} · ${number(result!.fps, 2)} fps`],
    ...(took === undefined ? [] : ([[t('facts.took'), span(took)]] as [string, string][])),
    [t('facts.size'), size(result!.bytes)],
    [t('facts.made'), moment(createdAt)],
  ];
  return (
    <section class="facts">
      <h2>{t('facts.title')}</h2>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {warnings.length > 0 && (
        <>
          <h3>{t('facts.warnings')}</h3>
          <ul>
            {warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
