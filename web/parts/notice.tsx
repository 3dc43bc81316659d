import type { ComponentChildren } from 'preact';
import { ApiError } from '../api.ts';
import { t } from '../texts/texts.ts';
import { Icon } from './icons.tsx';

/** What went wrong, and what helps; `children` is what can be done. */
export function Notice({
  error,
  title,
  children,
}: {
  error: unknown;
  title?: string;
  children?: ComponentChildren;
}) {
  const words = error instanceof Error ? error.message : t('error.unknown');
  const hint = error instanceof ApiError ? error.hint : undefined;
  return (
    <div class="notice" role="alert">
      <Icon name="caution" />
      <strong>{title ?? sentence(words)}</strong>
      {children}
      {title && <p>{sentence(words)}</p>}
      {hint && <p>{hint}</p>}
    </div>
  );
}

/** Messages of the API begin with a small letter and end without a full stop. */
function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
