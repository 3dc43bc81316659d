import { LineCounter, parseDocument } from 'yaml';
import { MuseTalkError } from '../core/errors.ts';

/** Characters of a file; ten thousand tasks fit. */
const LONGEST = 4 * 2 ** 20;

/**
 * The value of a YAML text. Its core schema alone is read: no tags that make objects, no merge keys, at most a
 * hundred uses of aliases, no key twice.
 *
 * @param hint what the file should hold
 * @throws MuseTalkError BAD_FILE when it is no such YAML.
 */
export function plainYaml(text: string, path: string, hint: string): unknown {
  const bad = (message: string, cause?: unknown) =>
    new MuseTalkError('BAD_FILE', `${path} ${message}`, { hint, facts: { path }, cause });
  if (text.length > LONGEST) throw bad(`is longer than ${LONGEST} characters`);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { schema: 'core', merge: false, uniqueKeys: true, lineCounter });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw bad(`is not YAML: ${problem.message.split('\n')[0]}`, problem);
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw bad(`is not YAML that is read here: ${(cause as Error).message}`, cause);
  }
}
