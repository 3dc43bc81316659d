/**
 * JSON from strangers. What `JSON.parse` takes silently is refused here: keys that reach into prototypes, keys that
 * come twice, nesting without end, keys without number.
 */
import { MuseTalkError } from '../core/errors.ts';

/** How large a text may be, in its own terms. */
export interface JsonLimits {
  readonly depth: number;
  /** Keys and items in all. */
  readonly values: number;
}

const LIMITS: JsonLimits = { depth: 24, values: 1_000_000 };
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);
const TOKEN = /[{}[\],:]|"(?:[^"\\]|\\.)*"/g;

/**
 * The value that a text says.
 *
 * @throws MuseTalkError BAD_OPTION naming what is wrong.
 */
export function parseJson(text: string, limits: JsonLimits = LIMITS): unknown {
  let value: unknown;
  try {
    checkShape(text, limits);
    value = JSON.parse(text);
  } catch (cause) {
    if (cause instanceof MuseTalkError) throw cause;
    throw bad('it is no JSON', cause);
  }
  return value;
}

/** Reads brackets and keys alone; whether the rest is JSON is for `JSON.parse` to say. */
function checkShape(text: string, { depth, values }: JsonLimits): void {
  const open: (Set<string> | undefined)[] = [];
  let last = '';
  let count = 0;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      if (open.length === depth) throw bad(`it is nested deeper than ${depth}`);
      open.push(token === '{' ? new Set() : undefined);
    } else if (token === '}' || token === ']') open.pop();
    else if (token === ':') addKey(open.at(-1), last);
    if (token === ':' || token === ',') {
      if (++count > values) throw bad(`it holds more than ${values} values`);
    }
    last = token;
  }
}

function addKey(keys: Set<string> | undefined, token: string): void {
  if (!keys || !token.startsWith('"')) return;
  const key = JSON.parse(token) as string; // escapes could hide what it says
  if (FORBIDDEN.has(key)) throw bad(`the key "${key}" is not taken`);
  if (keys.has(key)) throw bad(`the key "${key.slice(0, 60)}" comes twice`);
  keys.add(key);
}

function bad(why: string, cause?: unknown): MuseTalkError {
  return new MuseTalkError('BAD_OPTION', `the body cannot be taken: ${why}`, {
    hint: 'Send a JSON object as the API description shows.',
    cause,
  });
}
