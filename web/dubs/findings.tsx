import { useEffect, useState } from 'preact/hooks';
import { addressOf } from '../api.ts';
import { clock } from '../format.ts';
import { Icon } from '../parts/icons.tsx';
import { t } from '../texts/texts.ts';
import type { Quality } from './quality.ts';

interface FindingsProps {
  readonly id: string;
  readonly quality: Quality;
  readonly onSeek: (seconds: number) => void;
}

/** What the report found, each with its moment. */
export function Findings({ id, quality: { findings }, onSeek }: FindingsProps) {
  const page = addressOf(`v1/dubs/${id}/report?format=html`);
  const hasPage = useIsThere(page);
  const title =
    findings.length === 0
      ? t('report.good')
      : findings.length === 1
        ? t('report.finding')
        : t('report.findings', { count: findings.length });
  return (
    <section class="findings" data-good={findings.length === 0}>
      <h2>
        <Icon name={findings.length === 0 ? 'check' : 'caution'} />
        {title}
      </h2>
      {findings.length === 0 && <p>{t('report.goodHint')}</p>}
      <ul>
        {findings.map(({ title, detail, spans: [first] }) => (
          <li key={title} title={detail}>
            {first === undefined ? (
              <span>{title}</span>
            ) : (
              <button type="button" onClick={() => onSeek(first.start)}>
                <time>{clock(first.start)}</time>
                <span>{title}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
      {hasPage && (
        <a href={page} target="_blank" rel="noreferrer">
          {t('report.open')}
        </a>
      )}
    </section>
  );
}

/** Whether there is something at an address; its body is not waited for. */
function useIsThere(address: string): boolean {
  const [there, setThere] = useState(false);
  useEffect(() => {
    const gone = new AbortController();
    fetch(address, { signal: gone.signal }).then(
      ({ ok, body }) => {
        setThere(ok);
        void body?.cancel();
      },
      () => {}, // without an answer there is no link
    );
    return () => gone.abort();
  }, [address]);
  return there;
}
