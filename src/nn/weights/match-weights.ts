import { MuseTalkError } from '../../core/errors.ts';
import { type Checkpoint, type ViewedTensor, viewOf } from './checkpoint.ts';
import { quoted } from './checkpoint-error.ts';
import { recognise } from './known-networks.ts';
import { stateDict } from './state-dict.ts';

/** How a file's tensors are matched with a network's. */
export interface MatchOptions {
  /** What is being loaded, in words that follow "the weights of": `'the UNet of MuseTalk'`. */
  readonly network: string;
  /** Renames a tensor of the file to what the network calls it, for files of older libraries. */
  readonly rename?: (name: string) => string;
  /** Tensors of the network that a file may lack. Counters of batch norms always may. */
  readonly optional?: (name: string) => boolean;
  /** Tensors of the file that the network does not use, like the decoder in a whole Whisper. */
  readonly ignored?: (name: string) => boolean;
}

/** Counts batches in training and is not used otherwise; files of before 2018 lack it. */
const COUNTER = /(^|\.)num_batches_tracked$/;

/** `model.` stands before the names of Hugging Face's Whisper in some files, and not in others. */
const LOOSE_PREFIX = 'model.';

/** Names listed in a report; the counts are of all. */
const LISTED = 5;
const LISTED_FACTS = 50;

/**
 * The weights of a checkpoint as one network wants them: with its names and shapes, and nothing else. Wrappers
 * and prefixes are looked through (`stateDict`). A 1×1 convolution [C, C, 1, 1] is accepted for a matrix [C, C].
 *
 * @param expected every tensor of the network and its shape.
 * @throws MuseTalkError `WRONG_FILE` when the file holds another network (it says which, if it is known),
 * `BAD_WEIGHTS` when tensors are missing, unexpected or of another shape (the first few are named, all counted).
 */
export function matchWeights(
  checkpoint: Checkpoint,
  expected: ReadonlyMap<string, readonly number[]>,
  { network, rename = (name) => name, optional = () => false, ignored = () => false }: MatchOptions,
): Checkpoint {
  const weights = stateDict(checkpoint);
  const found = namesFor(weights, expected, rename);
  const missing = [...expected.keys()].filter(
    (name) => !found.has(name) && !COUNTER.test(name) && !optional(name),
  );
  const unexpected = [...found.keys()].filter(
    (name) => !expected.has(name) && !COUNTER.test(name) && !ignored(name),
  );
  const misshapen: string[] = [];
  const matched = new Map<string, ViewedTensor>();
  for (const [name, shape] of expected) {
    const from = found.get(name);
    if (from === undefined) continue;
    const given = weights.entries.get(from)!.shape;
    if (isSameMatrix(given, shape)) matched.set(name, { from, shape });
    else misshapen.push(`${quoted(name)} [${given.join(', ')}] instead of [${shape.join(', ')}]`);
  }
  if (missing.length + unexpected.length + misshapen.length > 0) {
    throw mismatch(weights, expected, network, { missing, unexpected, misshapen });
  }
  return viewOf(weights, matched);
}

/** Names as the network uses them → names in the file, with `model.` added or taken away if that fits better. */
function namesFor(
  { entries }: Checkpoint,
  expected: ReadonlyMap<string, unknown>,
  rename: (name: string) => string,
): Map<string, string> {
  const names = [...entries.keys()];
  const variants: ((name: string) => string)[] = [
    (name) => name,
    (name) => (name.startsWith(LOOSE_PREFIX) ? name.slice(LOOSE_PREFIX.length) : name),
    (name) => LOOSE_PREFIX + name,
  ];
  const candidates = variants.map(
    (variant) => new Map(names.map((name) => [nameOf(variant(name), expected, rename), name])),
  );
  const score = (found: Map<string, string>) => [...found.keys()].filter((name) => expected.has(name)).length;
  return candidates.reduce((best, next) => (score(next) > score(best) ? next : best));
}

function nameOf(
  name: string,
  expected: ReadonlyMap<string, unknown>,
  rename: (name: string) => string,
): string {
  return expected.has(name) ? name : rename(name);
}

/** The same shape, but for axes of size 1 at the end. */
function isSameMatrix(given: readonly number[], wanted: readonly number[]): boolean {
  return (
    given.length >= wanted.length &&
    given.every((size, axis) => size === (axis < wanted.length ? wanted[axis] : 1))
  );
}

interface Differences {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly misshapen: readonly string[];
}

function mismatch(
  weights: Checkpoint,
  expected: ReadonlyMap<string, readonly number[]>,
  network: string,
  { missing, unexpected, misshapen }: Differences,
): MuseTalkError {
  const { path } = weights;
  const known = recognise(weights.entries);
  const is = known === undefined ? '' : ` This file looks like ${known}.`;
  const facts = {
    path,
    network,
    looksLike: known,
    counts: { missing: missing.length, unexpected: unexpected.length, misshapen: misshapen.length },
    missing: missing.slice(0, LISTED_FACTS),
    unexpected: unexpected.slice(0, LISTED_FACTS),
    misshapen: misshapen.slice(0, LISTED_FACTS),
  };
  if (missing.length > expected.size / 2) {
    const what =
      known ?? `weights of another network (${missing.length} of ${expected.size} tensors are missing)`;
    return new MuseTalkError('WRONG_FILE', `${path}: this is ${what}; expected ${network}`, {
      hint: `Give the file that holds ${network}.`,
      facts,
    });
  }
  const parts = [
    ...(missing.length > 0 ? [`${missing.length} tensors are missing (${listed(missing.map(quoted))})`] : []),
    ...(unexpected.length > 0
      ? [`${unexpected.length} are unexpected (${listed(unexpected.map(quoted))})`]
      : []),
    ...(misshapen.length > 0 ? [`${misshapen.length} have another shape (${listed(misshapen)})`] : []),
  ];
  return new MuseTalkError('BAD_WEIGHTS', `${path}: the weights do not fit ${network}: ${parts.join('; ')}`, {
    hint: `Check that the file and its configuration belong to the same version.${is}`,
    facts,
  });
}

function listed(names: readonly string[]): string {
  const more = names.length > LISTED ? `, and ${names.length - LISTED} more` : '';
  return names.slice(0, LISTED).join(', ') + more;
}
