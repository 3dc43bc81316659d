import { MuseTalkError } from '../../core/errors.ts';
import { plainText } from './pickle-objects.ts';

const FETCH_AGAIN = 'Fetch the file again from a source that you trust.';

/** A damaged or hostile checkpoint: `path: what`, with the hint to fetch it again unless another is given. */
export function badFile(path: string, what: string, hint = FETCH_AGAIN, cause?: unknown): MuseTalkError {
  return new MuseTalkError('BAD_FILE', `${path}: ${what}`, { hint, facts: { path }, cause });
}

/** A file that is sound in itself, but nothing that can be used here. */
export function wrongFile(path: string, what: string, hint?: string): MuseTalkError {
  return new MuseTalkError('WRONG_FILE', `${path}: ${what}`, { hint, facts: { path } });
}

/** A name that was read from a file, made safe for a message: in one line, quoted, cut at 80 characters. */
export function quoted(name: unknown): string {
  const text = plainText(name);
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
