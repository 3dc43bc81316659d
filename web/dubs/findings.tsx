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
        {findings.map(({ fault, message, start }, i) => (
          <li key={i}>
            {start === undefined ? (
              <span>{message || fault}</span>
            ) : (
              <button type="button" onClick={() => onSeek(start)}>
                <time>{clock(start)}</time>
                <span>{message || fault}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
      <a href={addressOf(`v1/dubs/${id}/report?format=html`)} target="_blank" rel="noreferrer">
        {t('report.open')}
      </a>
    </section>
  );
}
