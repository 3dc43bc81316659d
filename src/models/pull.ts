import { join } from 'node:path';
import { type DownloadOptions, type DownloadProgress, download } from './download.ts';
import { type FoundFile, findNetwork } from './inventory.ts';
import { addressOf, type Mirror, type Network, type NetworkFile } from './manifest.ts';

/** What pulling tells while it runs. */
export interface PullProgress extends DownloadProgress {
  /** The file, by its path under the models folder. */
  readonly path: string;
  /** Number of the file among those that are fetched, from 1, and how many they are. */
  readonly file: number;
  readonly files: number;
}

/** How networks are pulled. */
export interface PullOptions extends Omit<DownloadOptions, 'onProgress'> {
  readonly mirror?: Mirror | undefined;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

/** What pulling did. */
export interface Pulled {
  /** Paths under the models folder. */
  readonly fetched: readonly string[];
  readonly present: readonly string[];
}

/** The files of networks that a pull would fetch: those that are missing, begun, or not of the published size. */
export async function filesToFetch(folder: string, networks: readonly Network[]): Promise<FoundFile[]> {
  const found = await Promise.all(networks.map((network) => findNetwork(folder, network)));
  // A file in another size or format is the user's own choice; it is not replaced.
  return found
    .flatMap(({ files }) => files)
    .filter(({ state }) => state === 'missing' || state === 'partial');
}

/**
 * Downloads the files of networks that are not in the models folder yet, one after the other.
 *
 * @throws what `download` throws.
 */
export async function pull(
  folder: string,
  networks: readonly Network[],
  { mirror, onProgress, ...options }: PullOptions = {},
): Promise<Pulled> {
  const wanted = await filesToFetch(folder, networks);
  for (const [i, { file }] of wanted.entries()) {
    await download(addressOf(file, mirror), join(folder, file.path), file, {
      ...options,
      onProgress: (progress) =>
        onProgress?.({ ...progress, path: file.path, file: i + 1, files: wanted.length }),
    });
  }
  const fetched = new Set<NetworkFile>(wanted.map(({ file }) => file));
  const all = networks.flatMap(({ files }) => files);
  return {
    fetched: [...fetched].map(({ path }) => path),
    present: all.filter((file) => !fetched.has(file)).map(({ path }) => path),
  };
}
