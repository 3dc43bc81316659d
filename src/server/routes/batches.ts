/** Many dubs at once: a line of JSON for each. */
import { z } from 'zod';
import { ERROR_CODES, MuseTalkError } from '../../core/errors.ts';
import { checkOptions } from '../../options/check.ts';
import { newId } from '../files.ts';
import { dubRequest, dubView, id, problem } from '../protocol.ts';
import { type Route, route } from '../route.ts';
import { parseJson } from '../safe-json.ts';
import type { Service } from '../service.ts';
import type { DubJob } from '../view.ts';
import { keyOf } from './dubs.ts';

/** Lines of one batch. */
const MOST_LINES = 500;

const batchView = z.object({
  id,
  object: z.literal('batch'),
  data: z.array(
    z.union([z.object({ line: z.int(), dub: dubView }), z.object({ line: z.int(), error: problem })]),
  ),
});

/** The routes of batches. */
export function batchRoutes(service: Service): Route[] {
  const one = z.strictObject({ id });
  const dubsOf = async (owner: string, batch: string) => {
    const all = (await service.queue.list(owner, { limit: 100_000 })) as DubJob[];
    const own = all.filter(({ request }) => request.batch === batch).reverse();
    if (own.length > 0) return own;
    throw new MuseTalkError('NOT_FOUND', `there is no batch ${batch}`, {});
  };
  return [
    route({
      ...{
        method: 'POST',
        path: '/v1/batches',
        tag: 'Batches',
        summary: 'Start many dubs: JSON lines, one request in each',
      },
      description: `At most ${MOST_LINES} lines, each as for POST /v1/dubs. A line that is wrong is told and stops no other.`,
      content: ['application/jsonl'],
      headers: [{ name: 'Idempotency-Key', description: 'The same key and lines give the same dubs' }],
      answers: { 201: { description: 'What became of each line', schema: batchView } },
      handle: async ({ owner, request }) => {
        const lines = linesOf(request.body);
        const key = keyOf(request.headers);
        const batch = newId();
        const data = [];
        for (const [line, text] of lines.entries()) {
          try {
            const body = checkOptions(dubRequest, parseJson(text));
            const { job } = await service.createDub({
              ...{ owner, request: body, batch, key: key === undefined ? undefined : `${key} ${line}` },
            });
            data.push({ line, dub: await service.view(job) });
          } catch (error) {
            data.push({ line, error: told(error) });
          }
        }
        return { status: 201, body: { id: batch, object: 'batch', data } };
      },
    }),
    route({
      ...{ method: 'GET', path: '/v1/batches/{id}', tag: 'Batches', summary: 'The dubs of a batch' },
      params: one,
      answers: { 200: { description: 'Those that are still there', schema: batchView } },
      handle: async ({ owner, params }) => {
        const dubs = await dubsOf(owner, params.id);
        const data = await Promise.all(
          dubs.map(async (job, line) => ({ line, dub: await service.view(job) })),
        );
        return { body: { id: params.id, object: 'batch', data } };
      },
    }),
    route({
      ...{
        method: 'DELETE',
        path: '/v1/batches/{id}',
        tag: 'Batches',
        summary: 'Stop and remove the dubs of a batch',
      },
      params: one,
      answers: { 204: { description: 'They are gone' } },
      handle: async ({ owner, params }) => {
        for (const job of await dubsOf(owner, params.id)) await service.removeDub(job);
        return { status: 204 };
      },
    }),
  ];
}

function linesOf(body: unknown): string[] {
  if (typeof body !== 'string')
    throw new MuseTalkError('BAD_OPTION', 'the body is not JSON lines', {
      hint: 'Send content-type: application/jsonl.',
    });
  const lines = body.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (lines.length === 0) throw new MuseTalkError('BAD_OPTION', 'the batch holds no line', {});
  if (lines.length > MOST_LINES)
    throw new MuseTalkError(
      'TOO_LARGE',
      `the batch has ${lines.length} lines; at most ${MOST_LINES} are taken`,
      {
        facts: { what: 'lines', value: lines.length, limit: MOST_LINES },
      },
    );
  return lines;
}

function told(error: unknown) {
  if (error instanceof MuseTalkError && ERROR_CODES[error.code].status < 500)
    return { code: error.code, message: error.message, hint: error.hint };
  throw error;
}
