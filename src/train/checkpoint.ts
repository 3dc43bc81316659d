/**
 * Checkpoints of a training: parameters, moments, averages and states in one safetensors file, whole or not at
 * all. A run that goes on from one continues the same curve, bit for bit.
 *
 * Names: `group/parameters/name`, `group/first/name`, `group/second/name`, `group/average/name`, `states//name`.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';
import type { FloatTensor } from '../core/tensor.ts';
import type { GroupState, TrainerState } from '../nn/trainer.ts';
import type { Checkpoint } from '../nn/weights/checkpoint.ts';
import { openCheckpoint } from '../nn/weights/open-checkpoint.ts';
import { writeSafetensors } from '../nn/weights/write-safetensors.ts';

/** A moment of a training. */
export interface TrainingState {
  /** Updates made. */
  update: number;
  trainer: TrainerState;
}

const FILE = /^checkpoint-(\d+)\.safetensors$/;
const PARTS = ['parameters', 'first', 'second', 'average'] as const;

/**
 * Writes `checkpoint-<update>.safetensors` into a folder, and then removes all but the newest `keep` of them.
 *
 * @returns the path of the file
 * @throws MuseTalkError CANNOT_WRITE
 */
export async function saveCheckpoint(
  folder: string,
  { update, trainer }: TrainingState,
  { keep = 3 }: { keep?: number } = {},
): Promise<string> {
  const tensors: { name: string; tensor: FloatTensor }[] = [];
  const add = (prefix: string, named: ReadonlyMap<string, FloatTensor> | undefined) => {
    for (const [name, tensor] of named ?? []) tensors.push({ name: `${prefix}/${name}`, tensor });
  };
  for (const [group, state] of Object.entries(trainer.groups)) {
    for (const part of PARTS) add(`${group}/${part}`, state[part]);
  }
  add('states/', trainer.states);
  const steps = Object.fromEntries(Object.entries(trainer.groups).map(([group, { step }]) => [group, step]));
  await mkdir(folder, { recursive: true });
  const path = join(folder, `checkpoint-${update}.safetensors`);
  await writeSafetensors(path, tensors, { update: String(update), steps: JSON.stringify(steps) });
  const all = await checkpoints(folder);
  for (const old of all.slice(0, Math.max(0, all.length - keep))) await rm(old.path, { force: true });
  return path;
}

/** The newest checkpoint of a folder, or `undefined` where there is none. */
export async function latestCheckpoint(folder: string): Promise<string | undefined> {
  return (await checkpoints(folder)).at(-1)?.path;
}

async function checkpoints(folder: string): Promise<{ path: string; update: number }[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  return names
    .flatMap((name) => {
      const update = FILE.exec(name)?.[1];
      return update === undefined ? [] : [{ path: join(folder, name), update: Number(update) }];
    })
    .sort((a, b) => a.update - b.update);
}

/**
 * Reads what {@link saveCheckpoint} wrote.
 *
 * @throws MuseTalkError NOT_FOUND, WRONG_FILE (weights that are no checkpoint of a training) or BAD_FILE.
 */
export async function readCheckpoint(path: string): Promise<TrainingState> {
  const file = await openCheckpoint(path, { expected: 'a checkpoint of a training' });
  try {
    const steps = readSteps(file);
    const groups: Record<string, GroupState> = {};
    for (const [group, step] of Object.entries(steps)) {
      const average = await readUnder(file, `${group}/average/`);
      groups[group] = {
        step,
        parameters: await readUnder(file, `${group}/parameters/`),
        first: await readUnder(file, `${group}/first/`),
        second: await readUnder(file, `${group}/second/`),
        average: average.size > 0 ? average : undefined,
      };
    }
    const states = await readUnder(file, 'states//');
    return { update: Number(file.metadata.get('update')), trainer: { groups, states } };
  } finally {
    await file.close();
  }
}

function readSteps(file: Checkpoint): Record<string, number> {
  const text = file.metadata.get('steps');
  if (typeof text === 'string') return JSON.parse(text) as Record<string, number>;
  throw new MuseTalkError('WRONG_FILE', `${file.path} holds weights, but no training to go on with`, {
    hint: 'Start a new training from these weights instead.',
    facts: { path: file.path },
  });
}

async function readUnder(file: Checkpoint, prefix: string): Promise<Map<string, FloatTensor>> {
  const tensors = new Map<string, FloatTensor>();
  for (const name of file.entries.keys()) {
    if (name.startsWith(prefix)) tensors.set(name.slice(prefix.length), await file.readFloat(name));
  }
  return tensors;
}
