/** Models: which are there, what each needs, and fetching what is missing. */
import { z } from 'zod';
import { MuseTalkError } from '../../core/errors.ts';
import { bundledMini, isMini } from '../../lips/mini-networks.ts';
import { type FoundNetwork, takeInventory } from '../../models/inventory.ts';
import { leastBytes, MODEL_SETS, networkOf, networksNamed } from '../../models/manifest.ts';
import { type PullProgress, pull } from '../../models/pull.ts';
import { modelsFolder } from '../../nn/folders.ts';
import { type Route, route } from '../route.ts';
import type { Service } from '../service.ts';

const one = z.strictObject({ id: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/, 'is no name of a model') });

const fileView = z.object({
  path: z.string(),
  network: z.string(),
  state: z.enum(['present', 'other', 'partial', 'missing']),
  bytes: z.number().meta({ description: 'That are there' }),
  size: z.number().meta({ description: 'Of the published file, or at least that' }),
  licence: z.string(),
  optional: z.boolean(),
});

const pullView = z.object({
  state: z.enum(['running', 'failed']),
  stage: z.string().nullable(),
  path: z.string().nullable(),
  file: z.int(),
  files: z.int(),
  done: z.number(),
  total: z.number().nullable(),
  error: z.string().nullable(),
});

const modelView = z.object({
  id: z.string(),
  what: z.string(),
  ready: z.boolean(),
  missing: z.array(z.string()),
  files: z.array(fileView),
  uses: z.array(z.string()).meta({ description: 'Networks that it uses when they are there' }),
  pull: pullView.nullable(),
});

interface Pull {
  readonly view: z.output<typeof pullView>;
  readonly stop: AbortController;
}

/** The routes of models; `ended` stops what is being fetched. */
export function modelRoutes(service: Service, ended: AbortSignal): Route[] {
  const folder = modelsFolder(service.options.models);
  const pulls = new Map<string, Pull>();
  const list = async () => {
    const { sets, networks } = await takeInventory(folder);
    const bundled = await isMini(bundledMini());
    const mini = {
      ...{ id: 'mini', what: 'small and quick; comes with the program', ready: bundled, missing: [] },
      ...{ uses: [], files: [], pull: null },
    };
    const others = sets.map(({ set, ready, missing }) => ({
      ...{ id: set.name, what: set.what, ready, missing, uses: [...set.uses] },
      files: set.needs.flatMap((name) => filesOf(networks, name)),
      pull: pulls.get(set.name)?.view ?? null,
    }));
    return [mini, ...others];
  };
  const begin = (name: string) => {
    const stop = new AbortController();
    const set = (view: z.output<typeof pullView>) => pulls.set(name, { view, stop });
    set(WAITING);
    const onProgress = (progress: PullProgress) => {
      if (!stop.signal.aborted) set(told(progress));
    };
    void pull(folder, networksNamed(name)!, {
      mirror: {
        base: process.env.MUSETALK_MODELS_URL || undefined,
        hub: process.env.HF_ENDPOINT || undefined,
      },
      ...{ signal: AbortSignal.any([stop.signal, ended]), onProgress },
    }).then(
      () => pulls.delete(name),
      (error: unknown) => {
        if (stop.signal.aborted || ended.aborted) return;
        const words = error instanceof MuseTalkError ? error.message : 'something went wrong in the service';
        set({ ...pulls.get(name)!.view, state: 'failed', error: words });
      },
    );
  };
  return [
    route({
      ...{
        method: 'GET',
        path: '/v1/models',
        tag: 'Models',
        summary: 'Which models are there, and what others lack',
      },
      answers: { 200: { description: 'Models', schema: z.object({ data: z.array(modelView) }) } },
      handle: async () => ({ body: { data: await list() } }),
    }),
    route({
      ...{
        method: 'POST',
        path: '/v1/models/{id}/pull',
        tag: 'Models',
        summary: 'Fetch what a model lacks',
      },
      description: 'Goes on by itself; the list of models tells how far it is. It continues what was begun.',
      params: one,
      answers: { 202: { description: 'It runs', schema: pullView } },
      handle: async ({ params }) => {
        if (!MODEL_SETS.some(({ name }) => name === params.id)) throw unknown(params.id);
        if (pulls.get(params.id)?.view.state !== 'running') begin(params.id);
        return { status: 202, body: pulls.get(params.id)!.view };
      },
    }),
    route({
      ...{
        method: 'DELETE',
        path: '/v1/models/{id}/pull',
        tag: 'Models',
        summary: 'Stop fetching; what came stays to be continued',
      },
      params: one,
      answers: { 204: { description: 'It stands still' } },
      handle: async ({ params }) => {
        pulls.get(params.id)?.stop.abort(new MuseTalkError('TIMEOUT', 'fetching was stopped', {}));
        pulls.delete(params.id);
        return { status: 204 };
      },
    }),
  ];
}

const WAITING: z.output<typeof pullView> = {
  ...{ state: 'running', stage: null, path: null, file: 0, files: 0, done: 0, total: null, error: null },
};

function told({ stage, path, file, files, done, total, problem }: PullProgress): z.output<typeof pullView> {
  return {
    ...{ state: 'running', stage, path, file, files, done },
    ...{ total: total ?? null, error: problem ?? null },
  };
}

function filesOf(networks: readonly FoundNetwork[], name: string): z.output<typeof fileView>[] {
  const { licence } = networkOf(name);
  const { files } = networks.find(({ network }) => network.name === name)!;
  return files.map(({ file, state, bytes }) => ({
    ...{ path: file.path, network: name, state, bytes, size: leastBytes(file), licence },
    optional: file.optional === true,
  }));
}

function unknown(name: string): MuseTalkError {
  return new MuseTalkError('NOT_FOUND', `there is no model "${name}"`, { hint: 'See /v1/models.' });
}
