import type { z } from 'zod';
import { MuseTalkError } from '../core/errors.ts';

/**
 * The options in `given`, checked and with defaults filled in; `hint` says where those that there are stand.
 *
 * @throws MuseTalkError BAD_OPTION naming every option that is wrong, and how.
 */
export function checkOptions<S extends z.ZodType>(
  schema: S,
  given: unknown,
  hint = 'See the options and their ranges in the help.',
): z.output<S> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const problems = result.error.issues.map(problemOf);
  throw new MuseTalkError('BAD_OPTION', problems.join('; '), {
    hint,
    facts: { problems },
    cause: result.error,
  });
}

function problemOf(issue: z.core.$ZodIssue): string {
  const place = issue.path.join('.');
  if (issue.code === 'unrecognized_keys')
    return `there is no option ${issue.keys.join(', ')}${place && ` in ${place}`}`;
  return `${place || 'the options'}: ${lowerFirst(issue.message)}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
