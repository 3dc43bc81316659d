import { Command } from 'commander';
import { z } from 'zod';
import { MuseTalkError } from '../../core/errors.ts';
import {
  type FoundNetwork,
  findNetwork,
  takeInventory,
  type VerifiedFile,
  verifyNetwork,
} from '../../models/inventory.ts';
import {
  BUNDLED,
  leastBytes,
  MODEL_SETS,
  NETWORKS,
  type Network,
  networksNamed,
} from '../../models/manifest.ts';
import { filesToFetch, type PullProgress, pull } from '../../models/pull.ts';
import { modelsFolder } from '../../nn/folders.ts';
import { addFlags, readFlags } from '../flags.ts';
import { examples } from '../help.ts';
import { addMessageFlags, type Messages } from '../messages.ts';
import { perform } from '../perform.ts';
import { bytes, table } from '../words.ts';

const folderOption = z.string().min(1).optional().meta({
  description: "folder of the models; else MUSETALK_MODELS, else the user's data folder",
  value: 'DIR',
});

/** Options of `models list` and `models verify`. */
export const modelsOptions = z.strictObject({ models: folderOption });

/** Options of `models pull`. */
export const pullOptions = z.strictObject({
  models: folderOption,
  from: z.string().min(1).optional().meta({
    description:
      "address of a folder that holds the files in upstream's layout; else MUSETALK_MODELS_URL, else where each is published (HF_ENDPOINT names another hub)",
    value: 'URL',
  }),
  retries: z.int().min(0).max(100).default(5).meta({
    description: 'attempts after one that brought nothing',
  }),
  retryWait: z.number().min(0).max(60).default(1).meta({
    description: 'before the first of them; doubled each time',
    unit: 's',
  }),
  dryRun: z.boolean().default(false).meta({ description: 'only say what would be fetched' }),
});

/** `musetalk models list | verify | pull` */
export function modelsCommand(): Command {
  const command = new Command('models')
    .summary('list, check and fetch the published weights')
    .description('List, check and fetch the published weights. MODELS.md says what each of them is.');
  for (const inner of [listCommand(), verifyCommand(), pullCommand()]) command.addCommand(inner);
  examples(command, [
    ['musetalk models list', 'what is there, what is missing'],
    ['musetalk models pull musetalk-1.5', 'continues where an earlier run stopped'],
    ['musetalk models pull taesd official-faces', ''],
    ['musetalk models verify', 'compares what is there with the published hashes'],
  ]);
  return command;
}

function listCommand(): Command {
  const command = new Command('list').description('Say which files are there.');
  addMessageFlags(addFlags(command, modelsOptions));
  return command.action(() =>
    perform(command, async ({ messages }) => {
      const folder = modelsFolder((readFlags(command, modelsOptions) as { models?: string }).models);
      const { networks, sets } = await takeInventory(folder);
      const facts = {
        folder,
        models: sets.map(({ set, ready, missing }) => ({ name: set.name, ready, missing })),
        networks: networks.map(({ network, ready, files }) => ({
          ...{
            name: network.name,
            what: network.what,
            source: network.source,
            licence: network.licence,
            ready,
          },
          files: files.map(({ file, state, path, bytes }) => ({
            ...{ path, state, bytes, published: file.bytes, sha256: file.sha256 },
          })),
        })),
        bundled: BUNDLED,
      };
      const text = [
        `${folder}:`,
        table(networks.flatMap(rowsOf), '  '),
        'models:',
        table(
          sets.map(({ set, ready, missing }) => [
            ...[set.name, ready ? 'ready' : `lacks ${missing.length} of its files`],
            ready ? set.what : `musetalk models pull ${set.name}`,
          ]),
          '  ',
        ),
      ];
      messages.result(facts, text.join('\n'));
    }),
  );
}

function rowsOf({ network, files }: FoundNetwork): string[][] {
  return files.map(({ file, state, bytes: found }) => [
    ...[network.name, file.path, state === 'other' ? 'other file' : state],
    state === 'missing' ? `(${bytes(leastBytes(file))})` : bytes(found),
    file.optional ? 'optional' : '',
  ]);
}

function verifyCommand(): Command {
  const command = new Command('verify')
    .description(
      'Read the files that are there and compare them with the published hashes. The exit code tells whether one is wrong, or, of those that are named, missing.',
    )
    .argument('[names...]', 'models or networks; all by default');
  addMessageFlags(addFlags(command, modelsOptions));
  return command.action((names: string[]) =>
    perform(command, async ({ messages, signal }) => {
      const folder = modelsFolder((readFlags(command, modelsOptions) as { models?: string }).models);
      const networks = names.length > 0 ? networksOf(names) : NETWORKS;
      const files: VerifiedFile[] = [];
      const missing: string[] = [];
      for (const network of networks) {
        const found = await findNetwork(folder, network);
        const onProgress = ({ path, done, total }: { path: string; done: number; total: number }) =>
          messages.progress({ stage: 'check', title: path, done, total, unit: 'bytes' });
        for await (const file of verifyNetwork(found, { onProgress, signal })) files.push(file);
        if (names.length > 0 && !found.ready) missing.push(network.name);
      }
      const facts = files.map(({ path, verdict, sha256 }) => ({ path, verdict, sha256 }));
      const rows = facts.map(({ path, verdict, sha256 }) => [VERDICTS[verdict], path, sha256]);
      messages.result({ folder, files: facts, missing }, table(rows) || `no files in ${folder}`);
      const wrong = facts.filter(({ verdict }) => verdict === 'wrong').map(({ path }) => path);
      if (wrong.length > 0)
        throw new MuseTalkError('WRONG_FILE', `not the published files: ${wrong.join(', ')}`, {
          hint: 'Remove them and pull them again, unless they are weights of your own.',
          facts: { wrong },
        });
      if (missing.length > 0)
        throw new MuseTalkError('MODEL_MISSING', `not complete: ${missing.join(', ')}`, {
          hint: `musetalk models pull ${missing.join(' ')}`,
          facts: { missing },
        });
    }),
  );
}

const VERDICTS = { right: 'right', wrong: 'WRONG', unknown: 'unknown' } as const;

function pullCommand(): Command {
  const command = new Command('pull')
    .description(
      'Fetch the files of models or networks that are not there yet. An interrupted download is continued by the next; a file appears only when its size and hash are right.',
    )
    .argument(
      '<names...>',
      `${MODEL_SETS.map(({ name }) => name).join(', ')}, or a network from models list`,
    );
  addMessageFlags(addFlags(command, pullOptions));
  return command.action((names: string[]) =>
    perform(command, async ({ messages, signal }) => {
      const options = pullOptions.parse(readFlags(command, pullOptions));
      const folder = modelsFolder(options.models);
      const networks = networksOf(names);
      for (const { name, source, licence, note } of networks)
        messages.note(`${name}: ${source}, licence ${licence}${note ? `. ${note}` : ''}`);
      const wanted = await filesToFetch(folder, networks);
      const size = wanted.reduce((sum, { file }) => sum + leastBytes(file), 0);
      if (options.dryRun) {
        const files = wanted.map(({ file }) => file.path);
        messages.result({ folder, files, bytes: size }, `${files.join('\n')}\n${bytes(size)} into ${folder}`);
        return;
      }
      const pulled = await pull(folder, networks, {
        mirror: {
          base: options.from ?? (process.env.MUSETALK_MODELS_URL || undefined),
          hub: process.env.HF_ENDPOINT || undefined,
        },
        ...{ attempts: options.retries + 1, firstWait: options.retryWait, signal },
        onProgress: (progress) => tell(messages, progress),
      });
      const { fetched, present } = pulled;
      const words =
        fetched.length > 0 ? `fetched ${fetched.join(', ')}` : `all ${present.length} files are there`;
      messages.result({ folder, ...pulled }, `${words} (${folder})`);
    }),
  );
}

function tell(
  messages: Messages,
  { stage, path, file, files, done, total, problem, seconds }: PullProgress,
): void {
  if (stage === 'wait') {
    messages.warning(`${path}: ${problem}; next attempt in ${seconds} s`);
    return;
  }
  const title = `${stage === 'check' ? 'checking ' : ''}${path} (${file} of ${files})`;
  messages.progress({ stage: `${stage} ${path}`, title, done, total, unit: 'bytes' });
}

function networksOf(names: readonly string[]): Network[] {
  const found = names.flatMap((name) => {
    const networks = networksNamed(name);
    if (networks) return networks;
    const known = [...MODEL_SETS, ...NETWORKS].map((one) => one.name);
    throw new MuseTalkError('BAD_OPTION', `there is no model or network "${name}"`, {
      hint: `Known are ${known.join(', ')}.`,
      facts: { name, known },
    });
  });
  return [...new Set(found)];
}
