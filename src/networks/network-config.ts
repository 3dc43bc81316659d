import type { z } from 'zod';
import { MuseTalkError } from '../core/errors.ts';

/**
 * Checks the parsed JSON of a network's configuration. Keys that a schema does not name are ignored.
 *
 * @throws MuseTalkError WRONG_FILE naming the first key whose value is not one that this network can have.
 */
export function readConfig<S extends z.ZodType>(schema: S, json: unknown, network: string): z.output<S> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [first] = result.error.issues;
  const key = first!.path.join('.') || 'the file';
  throw new MuseTalkError('WRONG_FILE', `the configuration of the ${network}: ${key}: ${first!.message}`, {
    hint: `Check that this is the configuration of the ${network} that MuseTalk uses.`,
    facts: { key, network },
    cause: result.error,
  });
}
