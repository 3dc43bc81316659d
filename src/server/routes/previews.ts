/** What can be known of a dub before it starts: how one frame will be cut, how long it will take. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { resultLength } from '../../avatar/order.ts';
import { deadline } from '../../core/deadline.ts';
import { MuseTalkError } from '../../core/errors.ts';
import { dubRequest, estimateView, previewRequest } from '../protocol.ts';
import { planOf, readOptions, sourceOf } from '../request.ts';
import { type Route, route } from '../route.ts';
import type { Service } from '../service.ts';
import { RunnerError } from '../work/pool.ts';

/** Frames a second on a small machine, until its own jobs tell better. */
const USUAL_SPEED: Readonly<Record<string, number>> = { mini: 30, 'musetalk-1.5': 0.4, 'musetalk-1.0': 0.4 };

/** Bytes that a model takes while it works. */
const USUAL_MEMORY: Readonly<Record<string, number>> = {
  mini: 0.8e9,
  'musetalk-1.5': 7e9,
  'musetalk-1.0': 7e9,
};

/** Previews that run at once. */
const MOST_PREVIEWS = 4;

const PREVIEW_MS = 120_000;

/** The routes of previews and estimates. */
export function previewRoutes(service: Service): Route[] {
  let running = 0;
  return [
    route({
      ...{
        method: 'POST',
        path: '/v1/previews',
        tag: 'Dubs',
        summary: 'One frame with the face, its box and its mask',
      },
      description:
        'A picture with the overlay drawn on it, and the numbers behind it; follows all options of the face.',
      body: previewRequest,
      answers: {
        200: {
          description: 'The picture as a data: address, and what was found',
          schema: z.object({ picture: z.string() }).catchall(z.unknown()),
        },
      },
      handle: async ({ owner, body, request }) => {
        if (running >= MOST_PREVIEWS)
          throw new MuseTalkError('RATE_LIMITED', `${running} previews are being made`, {
            facts: { retryAfter: 2 },
          });
        running++;
        try {
          return { body: await makePreview(service, owner, body, request.raw.socket) };
        } finally {
          running--;
        }
      },
    }),
    route({
      ...{
        method: 'POST',
        path: '/v1/estimates',
        tag: 'Dubs',
        summary: 'How long a dub would take, and how much room',
      },
      body: dubRequest,
      answers: { 200: { description: 'About', schema: estimateView } },
      handle: async ({ owner, body }) => ({ body: await estimate(service, owner, body) }),
    }),
  ];
}

async function makePreview(
  service: Service,
  owner: string,
  { video, time, layers, options }: z.output<typeof previewRequest>,
  socket: {
    once(event: 'close', listener: () => void): unknown;
    off(event: 'close', listener: () => void): unknown;
  },
): Promise<unknown> {
  const { settings, warnings } = readOptions(options);
  const source = sourceOf(video);
  const gone = new AbortController();
  const onClose = () => gone.abort(new MuseTalkError('TIMEOUT', 'the caller is gone', {}));
  socket.once('close', onClose);
  const patience = deadline(PREVIEW_MS, gone.signal);
  try {
    return await service.withInputs([source], owner, async ([path], folder) => {
      await service.look([path!], { settings });
      await cp(path!, join(folder, 'video'), { mode: 2 });
      const run = {
        id: 'preview',
        request: { kind: 'preview', settings, time, layers },
        folder,
        work: folder,
      };
      const { models, threads } = service.options;
      const result = await service.pool.run(
        { ...run, settings: { models, threads, limits: service.limits } },
        {
          signal: patience.signal,
          ...{ onBeat: () => {}, onProgress: () => {}, onWarning: () => {} },
        },
      );
      return { ...(result as object), warnings };
    });
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    const { code, message, hint } = error.details;
    throw new MuseTalkError(code === 'INTERNAL' ? 'ENGINE' : (code as 'ENGINE'), message, { hint });
  } finally {
    patience.end();
    socket.off('close', onClose);
  }
}

async function estimate(service: Service, owner: string, body: z.output<typeof dubRequest>) {
  const plan = planOf(body);
  return service.withInputs([plan.video, ...plan.sounds], owner, async (paths) => {
    const { video, sounds } = await service.look(paths, plan);
    const spoken = plan.segments.length > 0 ? video.duration : (sounds[0]!.duration ?? 0);
    const lengths = { source: video.frames, sound: Math.round(spoken * video.fps) };
    const frames = resultLength(plan.settings.syncMode, lengths);
    const model = plan.settings.model;
    const measured = service.metrics.speedOf(model);
    const speed = measured ?? USUAL_SPEED[model] ?? USUAL_SPEED.mini!;
    const { queued, running } = await service.queue.counts();
    const seconds = frames / speed;
    return {
      ...{ frames, duration: frames / video.fps, seconds },
      waiting: (seconds * (queued + running)) / Math.max(1, service.options.workers),
      memory: (USUAL_MEMORY[model] ?? USUAL_MEMORY.mini!) + video.width * video.height * 3 * 32,
      disk: Math.round(frames * video.width * video.height * 0.02) + 100_000,
      measured: measured !== undefined,
    };
  });
}
