/** Dubs: made, listed, followed, fetched, removed. */
import { z } from 'zod';
import { MuseTalkError } from '../../core/errors.ts';
import { kindOf } from '../../media/sniff.ts';
import { reportSchema } from '../../report/result.ts';
import { dubRequest, dubView, id, status } from '../protocol.ts';
import { type Route, type RouteCall, route } from '../route.ts';
import type { Service } from '../service.ts';
import type { StoredFile } from '../store/store.ts';
import { type DubJob, statusOf } from '../view.ts';
import { LOG_NAME } from '../work/attempt.ts';

const one = z.strictObject({ id });
const TYPES = {
  mp4: 'video/mp4',
  mov: 'video/quicktime',
  mkv: 'video/x-matroska',
  webm: 'video/webm',
} as const;
/** What a browser plays, by FFmpeg's name of the container; the rest is handed out as bytes. */
const SOURCE_TYPES: Readonly<Record<string, string>> = {
  mov: 'video/mp4',
  matroska: 'video/webm',
  png_pipe: 'image/png',
  jpeg_pipe: 'image/jpeg',
  webp_pipe: 'image/webp',
  gif: 'image/gif',
};

/** The routes of dubs. */
export function dubRoutes(service: Service): Route[] {
  const view = (job: DubJob) => service.view(job);
  return [
    route({
      ...{ method: 'POST', path: '/v1/dubs', tag: 'Dubs', summary: 'Start a dub' },
      description:
        'Takes the words of other lip-sync services too: input, options.sync_mode, segments, webhookUrl.',
      headers: [
        { name: 'Idempotency-Key', description: 'The same key and body give the same dub, not another one' },
      ],
      body: dubRequest,
      answers: {
        201: { description: 'It waits or runs', schema: dubView },
        200: { description: 'It was made before, under the same idempotency key', schema: dubView },
      },
      handle: async ({ owner, body, request }) => {
        const { job, created } = await service.createDub({
          owner,
          request: body,
          key: keyOf(request.headers),
        });
        return {
          status: created ? 201 : 200,
          body: await view(job),
          headers: { location: `/v1/dubs/${job.id}` },
        };
      },
    }),
    route({
      ...{ method: 'GET', path: '/v1/dubs', tag: 'Dubs', summary: 'Your dubs, newest first' },
      query: z.strictObject({
        limit: z.coerce.number().int().min(1).max(100).default(20),
        before: id.optional().meta({ description: 'Only those made before this one' }),
        status: status.optional(),
      }),
      answers: {
        200: {
          description: 'Some of them',
          schema: z.object({ data: z.array(dubView), next: id.nullable() }),
        },
      },
      handle: async ({ owner, query }) => {
        const { limit, before, status: wanted } = query;
        const jobs = (await service.queue.list(owner, { limit: wanted ? 1000 : limit, before })) as DubJob[];
        const some = jobs.filter(({ state }) => !wanted || statusOf(state) === wanted).slice(0, limit);
        const next = some.length === limit ? some.at(-1)!.id : null;
        return { body: { data: await Promise.all(some.map(view)), next } };
      },
    }),
    route({
      ...{
        method: 'GET',
        path: '/v1/dubs/{id}',
        tag: 'Dubs',
        summary: 'How far a dub is, and what came of it',
      },
      params: one,
      answers: { 200: { description: 'The dub', schema: dubView } },
      handle: async ({ owner, params }) => ({ body: await view(await service.dub(params.id, owner)) }),
    }),
    route({
      ...{
        method: 'DELETE',
        path: '/v1/dubs/{id}',
        tag: 'Dubs',
        summary: 'Stop a dub and remove every trace of it',
      },
      description: 'Its inputs go too, unless another dub was made of them.',
      params: one,
      answers: { 204: { description: 'Nothing is left' } },
      handle: async ({ owner, params }) => {
        await service.removeDub(await service.dub(params.id, owner));
        return { status: 204 };
      },
    }),
    route({
      ...{
        method: 'POST',
        path: '/v1/dubs/{id}/cancel',
        tag: 'Dubs',
        summary: 'Stop a dub and keep its record',
      },
      params: one,
      answers: { 200: { description: 'The dub', schema: dubView } },
      handle: async ({ owner, params }) => {
        await service.dub(params.id, owner);
        return { body: await view((await service.queue.cancel(params.id)) as DubJob) };
      },
    }),
    route({
      ...{
        method: 'GET',
        path: '/v1/dubs/{id}/events',
        tag: 'Dubs',
        summary: 'Follow a dub by server-sent events',
      },
      description:
        'Events status, progress and end (then the stream ends) carry the dub; removed ends the stream too.',
      params: one,
      headers: [{ name: 'Last-Event-ID', description: 'Sends what came after this event' }],
      answers: { 200: { description: 'Events', type: 'text/event-stream' } },
      handle: async ({ owner, params, request, reply }) => {
        const job = await service.dub(params.id, owner);
        const last = request.headers['last-event-id'];
        await service.events.stream(job, reply.raw, typeof last === 'string' ? last : undefined, () =>
          reply.hijack(),
        );
        return undefined;
      },
    }),
    route({
      ...{ method: 'GET', path: '/v1/dubs/{id}/result', tag: 'Dubs', summary: 'The video' },
      params: one,
      query: z.strictObject({
        download: z.stringbool().optional().meta({ description: 'Save it instead of showing it' }),
      }),
      headers: [{ name: 'Range', description: 'A part of it: bytes=0-1023' }],
      answers: {
        200: { description: 'The video', type: 'video/mp4' },
        206: { description: 'A part', type: 'video/mp4' },
      },
      handle: async ({ owner, params, query, request, reply }) => {
        const job = await service.dub(params.id, owner);
        const file = await service.result(job, request);
        if (query.download) reply.header('content-disposition', disposition(job));
        return sendMedia(reply, file, TYPES[job.request.format]);
      },
    }),
    route({
      ...{ method: 'GET', path: '/v1/dubs/{id}/source', tag: 'Dubs', summary: 'The video that was dubbed' },
      params: one,
      headers: [{ name: 'Range', description: 'A part of it: bytes=0-1023' }],
      answers: {
        200: { description: 'The video', type: 'video/mp4' },
        206: { description: 'A part', type: 'video/mp4' },
      },
      handle: async ({ owner, params, request, reply }) => {
        const { id: job } = await service.dub(params.id, owner);
        const head = await service.store.bytes(job, 'video', 4096);
        const file = head && (await service.store.file(job, 'video', request));
        if (!file) throw nothing('source');
        const type = SOURCE_TYPES[kindOf(head)?.demuxer ?? ''] ?? 'application/octet-stream';
        return sendMedia(reply, file, type);
      },
    }),
    route({
      ...{
        method: 'GET',
        path: '/v1/dubs/{id}/report',
        tag: 'Dubs',
        summary: 'What is known of the quality',
      },
      description:
        'Measured as the last stage of a dub; 404 where it could not be, or the service measures none.',
      params: one,
      query: z.strictObject({ format: z.enum(['json', 'html']).default('json') }),
      answers: { 200: { description: 'The report', schema: reportSchema } },
      handle: async ({ owner, params, query, reply }) => {
        const job = await service.dub(params.id, owner);
        const bytes = await service.store.bytes(job.id, service.besideResult(job, `report.${query.format}`));
        if (bytes === undefined) throw nothing('report');
        const text = String(bytes);
        if (query.format === 'json') return { body: JSON.parse(text) };
        reply.type('text/html; charset=utf-8').header('content-security-policy', REPORT_POLICY);
        return { body: text };
      },
    }),
    route({
      ...{ method: 'GET', path: '/v1/dubs/{id}/log', tag: 'Dubs', summary: 'What attempts that failed said' },
      params: one,
      answers: { 200: { description: 'Text, perhaps empty', type: 'text/plain' } },
      handle: async ({ owner, params, reply }) => {
        const job = await service.dub(params.id, owner);
        reply.type('text/plain; charset=utf-8');
        return { body: String((await service.store.bytes(job.id, LOG_NAME)) ?? '') };
      },
    }),
  ];
}

/** The report is one file with its own styles and pictures inside; it runs nothing and asks for nothing. */
const REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups";

/** The idempotency key of a request. @throws MuseTalkError BAD_OPTION. */
export function keyOf(headers: RouteCall['request']['headers']): string | undefined {
  const key = headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new MuseTalkError('BAD_OPTION', 'Idempotency-Key: is not 1 to 255 visible characters', {
    facts: { problems: ['Idempotency-Key'] },
  });
}

function sendMedia(reply: RouteCall['reply'], file: StoredFile, type: string): undefined {
  reply.header('content-security-policy', "default-src 'none'; sandbox");
  if ('folder' in file) {
    reply.type(type);
    void reply.sendFile(file.name, file.folder, { contentType: false, cacheControl: false });
  } else {
    if (file.status < 300) reply.type(type);
    void reply.code(file.status).headers(file.headers).send(file.body);
  }
  return undefined;
}

/** A name for the file on the client's disk: plain letters for old readers, the name itself for the others. */
function disposition({ id, request }: DubJob): string {
  const stem =
    (request.name ?? `dub-${id}`).replace(/[/\\:*?"<>|]/g, '_').replace(/\.\w{2,4}$/, '') || `dub-${id}`;
  const name = `${stem}.${request.format}`;
  const plain = name.replace(/[^\x20-\x7e]/g, '_');
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(name).replace(/['()*]/g, escapeAll)}`;
}

function escapeAll(letter: string): string {
  return `%${letter.charCodeAt(0).toString(16).toUpperCase()}`;
}

function nothing(what: string): MuseTalkError {
  return new MuseTalkError('NOT_FOUND', `there is no ${what} of this dub`, {});
}
