import type { Engine, LoadOptions, Session } from './session.ts';
import type { Value } from './value.ts';
import { frozen } from './weights/frozen.ts';
import { type MatchOptions, matchWeights } from './weights/match-weights.ts';
import { openCheckpoint } from './weights/open-checkpoint.ts';
import { expectedWeights, Weights } from './weights.ts';

/** What a network gives, by name. It is called twice: once for the names of its weights, once with them. */
export type BuildNetwork<N extends string> = (w: Weights) => Readonly<Record<N, Value>>;

/** Which network is loaded, and how. */
export interface LoadNetworkOptions<N extends string> {
  /** What the file must hold. */
  readonly match: MatchOptions;
  readonly build: BuildNetwork<N>;
  readonly loading?: LoadOptions | undefined;
}

/**
 * Loads one network of a checkpoint: its names and shapes are checked, its numbers are read by the engine alone.
 *
 * @throws MuseTalkError NOT_FOUND, WRONG_FILE, BAD_FILE, BAD_WEIGHTS or ENGINE.
 */
export async function loadNetwork<N extends string>(
  engine: Engine,
  path: string,
  { match, build, loading = {} }: LoadNetworkOptions<N>,
): Promise<Session> {
  const checkpoint = await openCheckpoint(path, { expected: match.network });
  try {
    const weights = matchWeights(checkpoint, expectedWeights(build), match);
    return await engine.load(build(new Weights(frozen(weights))), loading);
  } finally {
    await checkpoint.close();
  }
}
