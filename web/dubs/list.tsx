import { useEffect, useState } from 'preact/hooks';
import { addressOf, api, type DubView } from '../api.ts';
import { clock, moment, percent } from '../format.ts';
import { Mouth } from '../parts/mouth.tsx';
import { Notice } from '../parts/notice.tsx';
import { t } from '../texts/texts.ts';
import { stageName } from './work.tsx';

/** Milliseconds between two looks while something is unfinished, and otherwise. */
const OFTEN = 1500;
const SELDOM = 15_000;

/** Whether a dub has not ended yet. */
export function isOpen({ status }: DubView): boolean {
  return status === 'PENDING' || status === 'PROCESSING';
}

/** The newest dubs, looked at again and again. */
export function useDubs(): { dubs: readonly DubView[] | undefined; next: string | null; error: unknown } {
  const [state, setState] = useState<{ dubs?: DubView[]; next: string | null; error?: unknown }>({
    next: null,
  });
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let closed = false;
    const look = async () => {
      const answer = await api.dubs().catch((error: unknown) => ({ error }));
      if (closed) return;
      if ('error' in answer) setState((before) => ({ ...before, error: answer.error }));
      else setState({ dubs: answer.data, next: answer.next });
      timer = setTimeout(look, 'data' in answer && answer.data.some(isOpen) ? OFTEN : SELDOM);
    };
    void look();
    return () => {
      closed = true;
      clearTimeout(timer);
    };
  }, []);
  return { dubs: state.dubs, next: state.next, error: state.error };
}

/** All dubs of this user, newest first. */
export function Dubs() {
  const { dubs, next, error } = useDubs();
  const older = useOlder(next);
  return (
    <main class="page">
      <header>
        <div>
          <h1>{t('dubs.title')}</h1>
          <p>{t('dubs.hint')}</p>
        </div>
      </header>
      {error !== undefined && <Notice error={error} />}
      {dubs?.length === 0 && (
        <div class="empty">
          <Mouth open={0.03} wide={0.8} />
          <h2>{t('dubs.empty')}</h2>
          <p>{t('dubs.emptyHint')}</p>
          <a class="button" href="#/">
            {t('dubs.toStudio')}
          </a>
        </div>
      )}
      <ul class="gallery">
        {[...(dubs ?? []), ...older.dubs].map((dub) => (
          <Card key={dub.id} dub={dub} />
        ))}
      </ul>
      {older.more && (
        <button type="button" class="plain" onClick={older.more}>
          {t('dubs.more')}
        </button>
      )}
    </main>
  );
}

function useOlder(first: string | null): { dubs: readonly DubView[]; more: (() => void) | undefined } {
  const [dubs, setDubs] = useState<readonly DubView[]>([]);
  const [next, setNext] = useState<string | null>();
  const before = next === undefined ? first : next;
  const load = async () => {
    const page = await api.dubs(before!);
    setDubs([...dubs, ...page.data]);
    setNext(page.next);
  };
  return { dubs, more: before === null ? undefined : () => void load() };
}

function Card({ dub }: { dub: DubView }) {
  const { id, name, status, progress, result, createdAt, model } = dub;
  const share = progress && progress.total > 0 ? progress.done / progress.total : 0;
  return (
    <li>
      <a class="card" href={`#/dubs/${id}`} data-status={status}>
        <div class="poster">
          {status === 'COMPLETED' ? (
            <Poster address={addressOf(`v1/dubs/${id}/result`)} />
          ) : (
            <CardMouth dub={dub} />
          )}
          {result && <span class="length">{clock(result.duration, 0)}</span>}
        </div>
        {isOpen(dub) && (
          <div class="bar">
            <i style={{ width: `${share * 100}%` }} />
          </div>
        )}
        <h2>{name ?? t('dubs.untitled')}</h2>
        <p>
          {status === 'PROCESSING' && progress
            ? `${stageName(progress.stage)} ${progress.total > 0 ? percent(share) : ''}`
            : `${t(`status.${status}`)} · ${moment(createdAt)} · ${model}`}
        </p>
      </a>
    </li>
  );
}

function CardMouth({ dub }: { dub: DubView }) {
  return isOpen(dub) ? <Mouth speaking={dub.status === 'PROCESSING'} /> : <Mouth open={0} wide={0.55} />;
}

/** The frame a little after the start: the first one is often black. */
function Poster({ address }: { address: string }) {
  return (
    <video src={`${address}#t=0.4`} preload="metadata" muted playsInline tabIndex={-1} aria-hidden="true" />
  );
}
