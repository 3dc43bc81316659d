/** Bundles of mini: what training begins with, and what it leaves behind. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MuseTalkError } from '../../core/errors.ts';
import type { FloatTensor } from '../../core/tensor.ts';
import { tensor } from '../../core/tensor.ts';
import { bundledMini, isMini, MINI_CONFIG_FILE, type MiniConfig } from '../../lips/mini-networks.ts';
import { MINI_CODE } from '../../networks/mini-face.ts';
import { castFloat } from '../../nn/weights/cast.ts';
import { openCheckpoint } from '../../nn/weights/open-checkpoint.ts';
import { writeSafetensors } from '../../nn/weights/write-safetensors.ts';
import { readJson } from '../musetalk/files.ts';
import { LIP_NUMBERS, type LipBasis } from './lip-code.ts';

/** The parts of a bundle. */
export interface MiniBundle {
  readonly config: MiniConfig;
  readonly sound: ReadonlyMap<string, FloatTensor>;
  readonly face: ReadonlyMap<string, FloatTensor>;
  /** What the eight numbers of a lip code mean. Without it a bundle can be used, but not trained on. */
  readonly components: Float32Array | undefined;
  /** Texts in the header of the file, such as the licence. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** The tensor of the basis in a bundle: [8, 94]. */
const COMPONENTS = 'lips.components';

/** Reads a bundle: `mini`, or a folder. @throws MuseTalkError MODEL_MISSING, BAD_FILE */
export async function readMiniBundle(from: string): Promise<MiniBundle> {
  const folder = from === 'mini' ? bundledMini() : from;
  if (!(await isMini(folder))) {
    throw new MuseTalkError('MODEL_MISSING', `there is no bundle of mini in ${folder}`, {
      hint: 'Name "mini", or a folder with mini.json and mini.safetensors.',
      facts: { folder },
    });
  }
  const config = (await readJson(join(folder, MINI_CONFIG_FILE))) as MiniConfig;
  const file = await openCheckpoint(join(folder, 'mini.safetensors'));
  try {
    const under = async (prefix: string) => {
      const names = [...file.entries.keys()].filter((name) => name.startsWith(prefix));
      const read = async (name: string) => [name.slice(prefix.length), await file.readFloat(name)] as const;
      return new Map(await Promise.all(names.map(read)));
    };
    const components = file.entries.has(COMPONENTS) ? (await file.readFloat(COMPONENTS)).data : undefined;
    const texts = [...file.metadata].flatMap(([name, text]) =>
      typeof text === 'string' ? [[name, text]] : [],
    );
    const metadata = Object.fromEntries(texts) as Record<string, string>;
    return { config, sound: await under('sound.'), face: await under('face.'), components, metadata };
  } finally {
    await file.close();
  }
}

/** The basis of a bundle's lip codes. @throws MuseTalkError BAD_WEIGHTS when it does not say. */
export function basisOfBundle({ components }: MiniBundle, from: string): LipBasis {
  if (components?.length === MINI_CODE * LIP_NUMBERS) return { components, held: [] };
  throw new MuseTalkError('BAD_WEIGHTS', `the bundle ${from} does not say what its lip codes mean`, {
    hint: `Take a bundle that holds the tensor ${COMPONENTS}, as training writes it.`,
    facts: { from },
  });
}

/** Writes a bundle that `dub --model FOLDER` accepts: half-precision weights and their settings. */
export async function writeMiniBundle(folder: string, bundle: MiniBundle): Promise<void> {
  const { config, sound, face, components, metadata = { format: 'pt' } } = bundle;
  const named = (prefix: string, tensors: ReadonlyMap<string, FloatTensor>) =>
    Array.from(tensors, ([name, value]) => ({ name: prefix + name, tensor: castFloat(value, 'float16') }));
  await mkdir(folder, { recursive: true });
  await writeSafetensors(
    join(folder, 'mini.safetensors'),
    [
      ...named('sound.', sound),
      ...named('face.', face),
      ...(components ? [{ name: COMPONENTS, tensor: tensor([MINI_CODE, LIP_NUMBERS], components) }] : []),
    ],
    metadata,
  );
  const path = join(folder, MINI_CONFIG_FILE);
  await writeFile(`${path}.part`, `${JSON.stringify(config)}\n`);
  await rename(`${path}.part`, path);
}
