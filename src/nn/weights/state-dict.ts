import { type Checkpoint, viewOf } from './checkpoint.ts';

/** Keys under which training programs keep the weights, in the order in which they are tried. */
const WRAPPERS = [
  'state_dict',
  'model_state_dict',
  'model',
  'module',
  'params_ema',
  'params',
  'net',
  'unet',
] as const;

/** Averaged weights, looked for first where they are asked for. */
const AVERAGED_WRAPPERS = ['ema_state_dict', 'ema'] as const;

/** Prefixes that wrapping a network in another puts before each of its names. */
const PREFIXES = ['module.', '_orig_mod.', 'unet.', 'first_stage_model.'] as const;

const DEEPEST_WRAPPING = 4;

/** Which of several sets of weights is taken. */
export interface StateDictOptions {
  /** Take the averaged weights of a training, where the file has them. */
  readonly averaged?: boolean;
}

/**
 * The weights in a checkpoint, by their names in the network: looks through the mappings that training programs
 * wrap around them (leaving out optimizers and logs), and strips the prefixes of data parallelism and the like
 * where every name has them.
 */
export function stateDict(checkpoint: Checkpoint, { averaged = false }: StateDictOptions = {}): Checkpoint {
  const wrappers = averaged ? [...AVERAGED_WRAPPERS, ...WRAPPERS] : WRAPPERS;
  const stripped = withoutPrefixes(insideWrappers([...checkpoint.entries.keys()], wrappers));
  return viewOf(checkpoint, new Map(stripped.map(({ name, from }) => [name, { from }])));
}

interface Renamed {
  readonly name: string;
  readonly from: string;
}

function insideWrappers(names: readonly string[], wrappers: readonly string[]): Renamed[] {
  let prefix = '';
  for (let depth = 0; depth < DEEPEST_WRAPPING; depth++) {
    const here = names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
    const wrapper = wrappers.find((key) => isWrapper(key, here));
    if (wrapper === undefined) break;
    prefix += `${wrapper}/`;
  }
  return names
    .filter((name) => name.startsWith(prefix))
    .map((from) => ({ name: from.slice(prefix.length), from }));
}

/** A mapping that holds tensors itself is a state dict; a step counter or two beside the weights does not count. */
function isWrapper(key: string, names: readonly string[]): boolean {
  const inside = names.filter((name) => name.startsWith(`${key}/`)).length;
  const beside = names.filter((name) => !name.includes('/')).length;
  return inside > beside;
}

function withoutPrefixes(renamed: readonly Renamed[]): readonly Renamed[] {
  const common = PREFIXES.find(
    (prefix) => renamed.length > 0 && renamed.every(({ name }) => name.startsWith(prefix)),
  );
  if (common === undefined) return renamed;
  return withoutPrefixes(renamed.map(({ name, from }) => ({ name: name.slice(common.length), from })));
}
