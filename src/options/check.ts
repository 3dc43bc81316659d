import type { z } from 'zod';
import { MuseTalkError } from '../core/errors.ts';

/**
 * The options in `given`, checked and with defaults filled in.
 *
 * @throws MuseTalkError BAD_OPTION naming every option that is wrong, and how.
 */
export function checkOptions<S extends z.ZodType>(schema: S, given: unknown): z.output<S> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message, code, ...issue }) =>
    code === 'unrecognized_keys'
      ? `there is no option ${(issue as { keys?: string[] }).keys?.join(', ')}`
      : `${path.join('.') || 'the options'}: ${lowerFirst(message)}`,
  );
  throw new MuseTalkError('BAD_OPTION', problems.join('; '), {
    hint: 'See the options and their ranges in the help.',
    facts: { problems },
    cause: result.error,
  });
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
