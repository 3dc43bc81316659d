/** Uploads: in one go, or by the tus protocol so that a broken connection costs nothing. */
import { z } from 'zod';
import { MuseTalkError } from '../../core/errors.ts';
import { id, uploadView } from '../protocol.ts';
import { type Route, type RouteAnswer, type RouteCall, route } from '../route.ts';
import type { Service } from '../service.ts';

const one = z.strictObject({ id });
const TUS = 'For the tus protocol (tus.io, version 1.0.0): with the header Tus-Resumable.';

/** The routes of uploads. */
export function uploadRoutes(service: Service): Route[] {
  const { uploads } = service;
  const tus = async ({ owner, request, reply }: RouteCall): Promise<undefined> => {
    if (request.headers['tus-resumable'] === undefined && request.method !== 'OPTIONS')
      throw new MuseTalkError('BAD_OPTION', 'Tus-Resumable: the header is missing', {
        hint: 'Send Tus-Resumable: 1.0.0.',
      });
    reply.hijack();
    reply.raw.setHeader('x-content-type-options', 'nosniff');
    await uploads.handleTus(owner, request.raw, reply.raw);
  };
  return [
    route({
      ...{
        method: 'POST',
        path: '/v1/uploads',
        tag: 'Uploads',
        summary: 'Send a file as a form, or begin a tus upload',
      },
      description: 'A form (multipart/form-data) holds one file.',
      content: ['multipart/form-data'],
      headers: [
        { name: 'Tus-Resumable', description: '1.0.0 for a tus upload' },
        { name: 'Upload-Length', description: 'Bytes of a tus upload' },
        { name: 'Upload-Metadata', description: 'filename and its value in base64, for a tus upload' },
      ],
      answers: { 201: { description: 'The upload', schema: uploadView } },
      handle: async (call) => {
        if (call.request.headers['tus-resumable'] !== undefined) return tus(call);
        return receiveForm(service, call);
      },
    }),
    route({
      ...{ method: 'PUT', path: '/v1/uploads', tag: 'Uploads', summary: 'Send a file as the body' },
      content: ['application/octet-stream'],
      query: z.strictObject({
        name: z.string().min(1).max(4096).optional().meta({ description: 'For people; nothing but shown' }),
      }),
      answers: { 201: { description: 'The upload', schema: uploadView } },
      handle: async ({ owner, request, query }) => {
        const length = request.headers['content-length'];
        const upload = await uploads.receive(owner, request.raw, {
          ...(query.name !== undefined && { name: query.name }),
          ...(length !== undefined && { declared: Number(length) }),
        });
        return { status: 201, body: upload, headers: { location: `/v1/uploads/${upload.id}` } };
      },
    }),
    route({
      ...{ method: 'GET', path: '/v1/uploads', tag: 'Uploads', summary: 'Your uploads, newest first' },
      answers: { 200: { description: 'All of them', schema: z.object({ data: z.array(uploadView) }) } },
      handle: async ({ owner }) => ({ body: { data: await uploads.list(owner) } }),
    }),
    route({
      ...{
        method: 'OPTIONS',
        path: '/v1/uploads',
        tag: 'Uploads',
        summary: 'What tus can do here',
        hidden: true,
      },
      answers: { 204: { description: TUS } },
      handle: tus,
    }),
    route({
      ...{
        method: 'HEAD',
        path: '/v1/uploads/{id}',
        tag: 'Uploads',
        summary: 'How much of a tus upload has come',
      },
      description: TUS,
      params: one,
      answers: { 200: { description: 'Upload-Offset says it' } },
      handle: tus,
    }),
    route({
      ...{
        method: 'PATCH',
        path: '/v1/uploads/{id}',
        tag: 'Uploads',
        summary: 'Send the next part of a tus upload',
      },
      description: TUS,
      params: one,
      content: ['application/offset+octet-stream'],
      answers: { 204: { description: 'Upload-Offset says how much has come' } },
      handle: tus,
    }),
    route({
      ...{ method: 'GET', path: '/v1/uploads/{id}', tag: 'Uploads', summary: 'What is known of an upload' },
      params: one,
      answers: { 200: { description: 'The upload', schema: uploadView } },
      handle: async ({ owner, params }) => ({ body: await uploads.get(params.id, owner) }),
    }),
    route({
      ...{ method: 'DELETE', path: '/v1/uploads/{id}', tag: 'Uploads', summary: 'Remove an upload' },
      params: one,
      answers: { 204: { description: 'It is gone' } },
      handle: async (call) => {
        if (call.request.headers['tus-resumable'] !== undefined) return tus(call);
        await uploads.remove(call.params.id, call.owner);
        return { status: 204 };
      },
    }),
  ];
}

async function receiveForm({ uploads }: Service, { owner, request }: RouteCall): Promise<RouteAnswer> {
  if (!request.isMultipart())
    throw new MuseTalkError('BAD_OPTION', 'the body is neither a form nor a tus upload', {
      hint: 'Send multipart/form-data with a file, or PUT the bytes.',
    });
  try {
    const part = await request.file();
    if (!part)
      throw new MuseTalkError('BAD_OPTION', 'the form holds no file', {
        hint: 'Add one part with a file name.',
      });
    const upload = await uploads.receive(owner, part.file, { name: part.filename });
    return { status: 201, body: upload, headers: { location: `/v1/uploads/${upload.id}` } };
  } catch (error) {
    // What the reader of forms says of damaged ones carries no code; what the disk says does.
    if (error instanceof MuseTalkError || 'statusCode' in (error as object) || 'syscall' in (error as object))
      throw error;
    throw new MuseTalkError('BAD_OPTION', `the form is damaged: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
