/** The frozen networks of MuseTalk's trainings: where their files are, and which of them are there. */
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MuseTalkError } from '../../core/errors.ts';
import { takeInventory } from '../../models/inventory.ts';
import { networkOf } from '../../models/manifest.ts';
import { modelsFolder } from '../../nn/folders.ts';

/** Files of networks that are not trained. */
export interface TrainingFiles {
  readonly folder: string;
  readonly vae: { readonly weights: string; readonly config: string };
  readonly whisper: { readonly weights: string; readonly config: string | undefined };
  /** The UNet's configuration, where the models folder has one. */
  readonly unetConfig: string | undefined;
  readonly vgg: string | undefined;
}

/**
 * Looks for the frozen networks in a models folder.
 *
 * @throws MuseTalkError MODEL_MISSING without the autoencoder or Whisper, which nothing can stand in for.
 */
export async function locateTraining(models: string | undefined): Promise<TrainingFiles> {
  const folder = modelsFolder(models);
  const { networks } = await takeInventory(folder);
  const fileOf = (network: string, ending: RegExp) =>
    networks
      .find((found) => found.network.name === networkOf(network).name)!
      .files.find(({ path, state }) => ending.test(path) && state !== 'missing' && state !== 'partial')?.path;
  const weights = /\.(?:bin|pth|pt|safetensors)$/;
  const vae = { weights: fileOf('sd-vae', weights), config: fileOf('sd-vae', /config\.json$/) };
  const whisper = fileOf('whisper-tiny', weights) ?? (await firstThere(folder, ['whisper/tiny.pt']));
  const missing = [...(vae.weights && vae.config ? [] : ['sd-vae']), ...(whisper ? [] : ['whisper-tiny'])];
  if (!vae.weights || !vae.config || !whisper) {
    throw new MuseTalkError(
      'MODEL_MISSING',
      `MuseTalk cannot be trained without ${missing.join(' and ')} (${folder})`,
      {
        hint: `Fetch them with "musetalk models pull ${missing.join(' ')}", or train mini, which needs none.`,
        facts: { folder, missing },
      },
    );
  }
  return {
    folder,
    vae: { weights: vae.weights, config: vae.config },
    whisper: { weights: whisper, config: await firstThere(folder, ['whisper/config.json']) },
    unetConfig: fileOf('unet-1.5', /\.json$/) ?? fileOf('unet-1.0', /\.json$/),
    vgg: fileOf('vgg19', weights),
  };
}

/** The weights and the configuration of a UNet to begin with: a model's name, its folder, or a file. */
export async function locateUnet(
  from: string,
  files: TrainingFiles,
): Promise<{ weights: string; config: string | undefined }> {
  const named = /^(?:musetalk-?)?v?(1\.?0|1|1\.?5)$/i.exec(from)?.[1];
  if (named) {
    const network = networkOf(named.endsWith('5') ? 'unet-1.5' : 'unet-1.0');
    const paths = network.files.flatMap(({ path, also = [] }) => [path, ...also]);
    const weights = await firstThere(
      files.folder,
      paths.filter((path) => !path.endsWith('.json')),
    );
    if (weights)
      return {
        weights,
        config: await firstThere(
          files.folder,
          paths.filter((path) => path.endsWith('.json')),
        ),
      };
    throw new MuseTalkError('MODEL_MISSING', `the weights of ${from} are not in ${files.folder}`, {
      hint: `Fetch them with "musetalk models pull ${network.name}", or leave "from" out to begin with random ones.`,
      facts: { from, folder: files.folder },
    });
  }
  const inside = await firstThere(from, ['unet.safetensors', 'unet.pth', 'pytorch_model.bin']);
  if (inside) return { weights: inside, config: await firstThere(from, ['musetalk.json', 'config.json']) };
  await access(from).catch((cause) => {
    throw new MuseTalkError('NOT_FOUND', `there are no weights to begin with at ${from}`, {
      hint: 'Name musetalk-1.5, musetalk-1.0, a folder with unet.safetensors, or a file of weights.',
      facts: { from },
      cause,
    });
  });
  return { weights: from, config: undefined };
}

/** The parsed JSON of a file. @throws MuseTalkError WRONG_FILE */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new MuseTalkError('WRONG_FILE', `${path} is not JSON`, { facts: { path }, cause });
  }
}

async function firstThere(folder: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const path = join(folder, name);
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}
