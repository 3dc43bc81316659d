import { useEffect, useRef, useState } from 'preact/hooks';
import { addressOf, api, type DubView } from '../api.ts';
import { clock, moment, percent } from '../format.ts';
import { Icon } from '../parts/icons.tsx';
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
        {dubs !== undefined && dubs.length > 0 && (
          <a class="button quiet" href="#/">
            <Icon name="plus" />
            {t('dubs.new')}
          </a>
        )}
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
  const { id, name, status, result, createdAt, model } = dub;
  const film = useRef<HTMLVideoElement>(null);
  const play = () => void film.current?.play().catch(() => {}); // a picture does as well
  const rest = () => {
    film.current?.pause();
    if (film.current) film.current.currentTime = POSTER_TIME;
  };
  return (
    <li>
      <a
        class="card"
        href={`#/dubs/${id}`}
        data-status={status}
        onPointerEnter={play}
        onPointerLeave={rest}
        onFocus={play}
        onBlur={rest}
      >
        <div class="poster">
          {status === 'COMPLETED' ? (
            <video
              ref={film}
              src={`${addressOf(`v1/dubs/${id}/result`)}#t=${POSTER_TIME}`}
              preload="metadata"
              muted
              loop
              playsInline
              tabIndex={-1}
              aria-hidden="true"
            />
          ) : (
            <CardMouth dub={dub} />
          )}
          {result && <span class="length">{clock(result.duration, 0)}</span>}
          <Said dub={dub} />
        </div>
        <h2>{name ?? t('dubs.untitled')}</h2>
        <p>
          {moment(createdAt)} · {model}
        </p>
      </a>
    </li>
  );
}

/** Seconds: a little after the start, since the first frame is often black. */
const POSTER_TIME = 0.4;

/** What is to be said of a dub: how far it is, how it ended, whether something stands out. */
function Said({ dub: { status, progress, result } }: { dub: DubView }) {
  if (status === 'PROCESSING' && progress) {
    const share = progress.total > 0 ? progress.done / progress.total : 0;
    return (
      <>
        <span class="said">
          {stageName(progress.stage)} {progress.total > 0 ? percent(share) : ''}
        </span>
        <div class="bar">
          <i style={{ width: `${share * 100}%` }} />
        </div>
      </>
    );
  }
  if (status !== 'COMPLETED') return <span class="said">{t(`status.${status}`)}</span>;
  if (result?.quality !== 'faults') return <span class="for-readers">{t(`status.${status}`)}</span>;
  return (
    <span class="said" data-caution>
      <Icon name="caution" />
      {t('dubs.faults')}
    </span>
  );
}

function CardMouth({ dub }: { dub: DubView }) {
  return isOpen(dub) ? <Mouth speaking={dub.status === 'PROCESSING'} /> : <Mouth open={0} wide={0.55} />;
}
