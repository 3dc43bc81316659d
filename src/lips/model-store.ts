/** Finds the files of the official models on disk, in upstream's folder layout. */
import { access, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';
import { modelsFolder } from '../nn/folders.ts';

/** The two published generations; they differ in windows, masks and boxes. */
export type MuseTalkVersion = '1.0' | '1.5';

/** A network's weights and, where it has one, its configuration. */
export interface NetworkFiles {
  readonly weights: string;
  readonly config: string | undefined;
}

/** Where the files of MuseTalk lie; those that are optional are undefined when they are not there. */
export interface MuseTalkFiles {
  readonly version: MuseTalkVersion;
  /** The folder with the networks that all versions share. */
  readonly folder: string;
  readonly unet: NetworkFiles & { readonly config: string };
  readonly vae: NetworkFiles & { readonly config: string };
  readonly whisper: NetworkFiles;
  readonly taesd: string | undefined;
}

/** Where the files of a model are looked for. */
export interface LocateOptions {
  /** `musetalk-1.5`, `musetalk-1.0`, or a folder: one in upstream's layout, or one with a UNet of its own. */
  readonly model: string;
  /** Folder with upstream's layout; see `modelsFolder` for where it is looked for by default. */
  readonly models?: string | undefined;
  /** Whether the tiny decoder is needed. */
  readonly tiny?: boolean | undefined;
}

/** A part of a model, and the names by which its file may go, in order of preference. */
interface Wanted {
  readonly what: string;
  readonly names: readonly string[];
}

const WEIGHT_ENDINGS = ['.bin', '.safetensors', '.fp16.bin', '.fp16.safetensors'];
const DIFFUSERS = ['diffusion_pytorch_model.safetensors', 'diffusion_pytorch_model.bin'];
const VAE_FOLDERS = ['sd-vae', 'sd-vae-ft-mse'];
/** Upstream's own name of the file first; the others are what conversion and training write. */
const UNET_WEIGHTS: Readonly<Record<MuseTalkVersion, readonly string[]>> = {
  '1.0': ['pytorch_model.bin', 'unet.pth', 'unet.safetensors', 'model.safetensors', ...DIFFUSERS],
  '1.5': ['unet.pth', 'unet.safetensors', 'pytorch_model.bin', 'model.safetensors', ...DIFFUSERS],
};
const UNET_CONFIGS = ['musetalk.json', 'config.json'] as const;

const UNET_FOLDERS: Readonly<Record<MuseTalkVersion, string>> = { '1.0': 'musetalk', '1.5': 'musetalkV15' };

/** 1.0 was made with OpenAI's file, 1.5 with Hugging Face's; the encoder in both is the same. */
const WHISPER_WEIGHTS: Readonly<Record<MuseTalkVersion, readonly string[]>> = {
  '1.0': ['tiny.pt', 'pytorch_model.bin', 'model.safetensors'],
  '1.5': ['pytorch_model.bin', 'model.safetensors', 'tiny.pt'],
};

const under = (folders: readonly string[], names: readonly string[]) =>
  folders.flatMap((folder) => names.map((name) => join(folder, name)));

/**
 * The files of a model.
 *
 * @throws MuseTalkError MODEL_MISSING with the exact list of what is not there, NOT_FOUND for a folder that is not.
 */
export async function locateMuseTalk({ model, models, tiny = false }: LocateOptions): Promise<MuseTalkFiles> {
  const { folder, own, version } = await readName(model, models);
  const missing: Wanted[] = [];
  const need = async (root: string, wanted: Wanted) => {
    const found = await firstThere(root, wanted.names);
    if (found === undefined) missing.push({ ...wanted, names: wanted.names.map((name) => join(root, name)) });
    return found ?? '';
  };

  const unetFolders = own === undefined ? [UNET_FOLDERS[version]] : ['.'];
  const unetRoot = own ?? folder;
  const unet = {
    weights: await need(unetRoot, { what: 'the UNet', names: under(unetFolders, UNET_WEIGHTS[version]) }),
    config:
      (await firstThere(unetRoot, under(unetFolders, UNET_CONFIGS))) ??
      // Both versions share one configuration; upstream's own default names the folder of 1.0.
      (await need(folder, {
        what: "the UNet's configuration",
        names: under(
          own === undefined ? [...unetFolders, 'musetalk'] : ['musetalkV15', 'musetalk'],
          UNET_CONFIGS,
        ),
      })),
  };
  const vaeNames = WEIGHT_ENDINGS.map((ending) => `diffusion_pytorch_model${ending}`);
  const vae = {
    weights: await need(folder, { what: 'the autoencoder', names: under(VAE_FOLDERS, vaeNames) }),
    config: await need(folder, {
      what: "the autoencoder's configuration",
      names: under(VAE_FOLDERS, ['config.json']),
    }),
  };
  const whisper = {
    weights: await need(folder, {
      what: "Whisper's encoder",
      names: under(['whisper'], WHISPER_WEIGHTS[version]),
    }),
    config: await firstThere(folder, ['whisper/config.json']),
  };
  const tinyNames = under(['taesd', '.'], ['taesd_decoder.pth', 'taesd_decoder.safetensors']);
  const taesd = tiny
    ? await need(folder, { what: 'the tiny decoder', names: tinyNames })
    : await firstThere(folder, tinyNames);

  if (missing.length > 0) throw modelMissing(model, folder, missing);
  return { version, folder, unet, vae, whisper, taesd: taesd || undefined };
}

/** The folder in which the options say that models lie: `--models`, or `--model` where that is such a folder. */
export async function modelsFolderOf({
  model,
  models,
}: Pick<LocateOptions, 'model' | 'models'>): Promise<string> {
  if (models !== undefined) return models;
  const upstream = await Promise.all(Object.values(UNET_FOLDERS).map((name) => isFolder(join(model, name))));
  return upstream.some(Boolean) ? model : modelsFolder();
}

/** The versions whose UNet lies in the models folder, the newest first. */
export async function versionsIn(models: string | undefined): Promise<MuseTalkVersion[]> {
  const folder = modelsFolder(models);
  const versions: MuseTalkVersion[] = ['1.5', '1.0'];
  const found = await Promise.all(
    versions.map((version) => firstThere(folder, under([UNET_FOLDERS[version]], UNET_WEIGHTS[version]))),
  );
  return versions.filter((_, i) => found[i] !== undefined);
}

/** What the words of `--model` mean: a version by name, or a folder. */
async function readName(
  model: string,
  models: string | undefined,
): Promise<{ folder: string; own?: string; version: MuseTalkVersion }> {
  const named = /^(?:musetalk-?)?v?(1\.?0|1|1\.?5)$/i.exec(model)?.[1];
  if (named) {
    const folder = modelsFolder(models);
    if (models !== undefined && !(await isFolder(folder))) throw noFolder(folder, '--models');
    return { folder, version: named.endsWith('5') ? '1.5' : '1.0' };
  }
  if (!(await isFolder(model))) throw noFolder(model, '--model');
  const upstream = await Promise.all([
    isFolder(join(model, 'musetalkV15')),
    isFolder(join(model, 'musetalk')),
  ]);
  if (upstream[0]) return { folder: model, version: '1.5' };
  if (upstream[1]) return { folder: model, version: '1.0' };
  return { folder: modelsFolder(models), own: model, version: await versionOf(model) };
}

/** The generation that our training noted beside a UNet of its own; 1.5 where nothing is said. */
async function versionOf(folder: string): Promise<MuseTalkVersion> {
  const text = await readFile(join(folder, UNET_CONFIGS[0]!), 'utf8').catch(() => '{}');
  return /"musetalk_version":\s*"1\.0"/.test(text) ? '1.0' : '1.5';
}

async function firstThere(root: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const path = join(root, name);
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there) return path;
  }
  return undefined;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function noFolder(path: string, option: string): MuseTalkError {
  return new MuseTalkError('NOT_FOUND', `${option}: there is no folder ${path}`, {
    hint: 'Name a model (musetalk-1.5, musetalk-1.0) or a folder that exists.',
    facts: { path },
  });
}

function modelMissing(model: string, folder: string, missing: readonly Wanted[]): MuseTalkError {
  const lines = missing.map(({ what, names }) => {
    const shown = names.slice(0, 2).map((name) => shortened(folder, name));
    return `${what} (${shown.join(' or ')})`;
  });
  return new MuseTalkError(
    'MODEL_MISSING',
    `${model} is not complete in ${folder}: missing ${lines.join(', ')}`,
    {
      hint: 'Fetch them with "musetalk models pull", or name the folder that has them with --models or MUSETALK_MODELS.',
      facts: { model, folder, missing: missing.map(({ what, names }) => ({ what, anyOf: names })) },
    },
  );
}

function shortened(folder: string, path: string): string {
  const short = relative(folder, path);
  return short.startsWith('..') ? path : short;
}
