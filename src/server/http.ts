/** The HTTP side: routes become a fastify server, with the checks that all of them share. */
import multipart from '@fastify/multipart';
import files from '@fastify/static';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { z } from 'zod';
import { ERROR_CODES, MuseTalkError } from '../core/errors.ts';
import { cannotWrite } from '../media/output.ts';
import { checkOptions } from '../options/check.ts';
import type { Users } from './auth.ts';
import type { Files } from './files.ts';
import { checkOrigin, type Pace, SAFE_HEADERS, watchPace } from './guard.ts';
import type { Metrics } from './metrics.ts';
import type { RateLimit } from './rate.ts';
import type { Route } from './route.ts';
import { parseJson } from './safe-json.ts';
import { withoutPaths } from './work/attempt.ts';

/** What the routes share. */
export interface HttpOptions {
  readonly users: Users;
  readonly names: ReadonlySet<string> | undefined;
  readonly creates: RateLimit;
  readonly reads: RateLimit;
  readonly metrics: Metrics;
  readonly files: Files;
  readonly maxUpload: number;
  readonly pace: Pace;
  /** Seconds after which a connection on which nothing moves is ended. */
  readonly idle: number;
  /** Folder of the page, where there is one. */
  readonly page: string | undefined;
  /** Hears of errors that are our own fault. */
  readonly onError: (error: unknown, request: string) => void;
}

/** Bytes of a JSON body: room for a box for each of 200,000 frames. */
const JSON_BYTES = 8 * 2 ** 20;

/** Methods that change something, for the limits of rate. Parts of a tus upload come often and count as reading. */
const CREATES = new Set(['POST', 'PUT', 'DELETE']);

const LINES = ['application/jsonl', 'application/x-ndjson', 'application/x-jsonlines'];

/** A server of these routes, not listening yet. */
export async function httpServer(routes: readonly Route[], options: HttpOptions): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: JSON_BYTES,
    routerOptions: { maxParamLength: 200 },
    connectionTimeout: options.idle * 1000,
    keepAliveTimeout: 10_000,
    requestTimeout: 0, // a large upload takes long; `watchPace` ends slow ones
    http: { headersTimeout: 20_000, connectionsCheckingInterval: 5000, maxHeaderSize: 16 * 1024 },
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    logger: false,
    frameworkErrors: (error, request, reply) => {
      reply.headers(SAFE_HEADERS);
      void answerError(error, request as FastifyRequest, reply as FastifyReply, options);
    },
  });
  app.decorateRequest('owner', '');
  app.setErrorHandler<FastifyError>((error, request, reply) => answerError(error, request, reply, options));
  app.setNotFoundHandler((request, reply) => {
    const error = new MuseTalkError(
      'NOT_FOUND',
      `there is no ${request.method} ${request.url.split('?')[0]!.slice(0, 200)}`,
      {
        hint: 'See /docs.',
      },
    );
    return answerError(error, request, reply, options);
  });
  addParsers(app);
  await app.register(multipart, {
    limits: {
      files: 1,
      fields: 10,
      parts: 12,
      fieldNameSize: 200,
      fieldSize: 4096,
      headerPairs: 50,
      fileSize: options.maxUpload + 1,
    },
  });
  await app.register(files, { root: options.files.jobs, serve: false, etag: true, acceptRanges: true });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SAFE_HEADERS);
    checkOrigin(request.raw, options.names);
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
    if (Number(length ?? 0) > 0 || coding !== undefined) watchPace(request.raw, options.pace);
  });
  app.addHook('onResponse', async ({ method, routeOptions }, { statusCode, elapsedTime }) => {
    options.metrics.answered(method, routeOptions.url ?? 'none', statusCode, elapsedTime / 1000);
  });
  for (const one of routes) addRoute(app, one, options);
  await addPage(app, options.page);
  return app;
}

declare module 'fastify' {
  interface FastifyRequest {
    owner: string;
  }
}

function addRoute(app: FastifyInstance, route: Route, { users, creates, reads }: HttpOptions): void {
  const { method, path, params, query, body, open } = route;
  app.route({
    method: method === 'GET' ? ['GET', ...(hasHead(path) ? ['HEAD' as const] : [])] : method,
    url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
    onRequest: async (request) => {
      if (!open) request.owner = users.ownerOf(request.headers);
      const limit = CREATES.has(method) ? creates : reads;
      if (!open || CREATES.has(method)) limit.take(open ? request.ip : request.owner);
    },
    handler: async (request, reply) => {
      if (body && !isJson(request))
        throw new MuseTalkError('BAD_OPTION', 'the body is not JSON', {
          hint: 'Send content-type: application/json.',
        });
      const answer = await route.handle({
        params: checked(params, request.params),
        query: checked(query, { ...(request.query as object) }),
        body: body ? checked(body, request.body) : request.body,
        owner: request.owner,
        ...{ request, reply },
      });
      if (!answer) return reply;
      reply.code(answer.status ?? 200).headers(answer.headers ?? {});
      if (reply.getHeader('cache-control') === undefined) reply.header('cache-control', 'no-store');
      return reply.send(answer.body);
    },
  });
}

/** What is not of the API is asked for by HEAD too, and files; uploads have a HEAD of their own. */
function hasHead(path: string): boolean {
  return /\/(result|source)$/.test(path) || !path.startsWith('/v1/');
}

function checked(schema: z.ZodType | undefined, given: unknown): unknown {
  return schema ? checkOptions(schema, given, 'See the fields and their ranges at /docs.') : undefined;
}

function isJson({ headers }: FastifyRequest): boolean {
  return /^application\/json\b/i.test(headers['content-type'] ?? '');
}

function addParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_request: unknown, text: string) => parseJson(text),
  );
  app.addContentTypeParser(LINES, { parseAs: 'string' }, async (_request: unknown, text: string) => text);
  // Everything else is read by the route that asked for it, or by nobody.
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
}

async function addPage(app: FastifyInstance, root: string | undefined): Promise<void> {
  if (root === undefined) return;
  await app.register(files, {
    root,
    prefix: '/',
    decorateReply: false,
    index: 'index.html',
    wildcard: false,
  });
}

function answerError(
  error: Error | FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
  { files, onError }: HttpOptions,
): FastifyReply {
  const known = asKnown(error);
  const { code, status, message, hint, facts } = known ?? UNKNOWN;
  if (status >= 500) onError(error, `${request.method} ${request.routeOptions.url ?? ''}`);
  if (typeof facts.retryAfter === 'number') reply.header('retry-after', facts.retryAfter);
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="musetalk"');
  // A body that nobody reads to its end would be taken for the next request.
  if (request.raw.readable && !request.raw.complete) reply.header('connection', 'close');
  return reply
    .code(status)
    .header('content-type', 'application/json; charset=utf-8')
    .header('cache-control', 'no-store')
    .removeHeader('content-disposition')
    .send(
      JSON.stringify({
        error: { code, message: withoutPaths(message, files), hint, facts: shareable(facts) },
      }),
    );
}

interface Known {
  readonly code: string;
  readonly status: number;
  readonly message: string;
  readonly hint: string | undefined;
  readonly facts: Readonly<Record<string, unknown>>;
}

const UNKNOWN: Known = {
  ...{ code: 'INTERNAL', status: 500, message: 'something went wrong in the service' },
  ...{ hint: undefined, facts: {} },
};

/** Errors of our own, and of fastify where it blames the request. */
function asKnown(error: Error | FastifyError): Known | undefined {
  if (error instanceof MuseTalkError)
    return {
      code: error.code,
      status: ERROR_CODES[error.code].status,
      message: error.message,
      hint: error.hint,
      facts: error.facts,
    };
  const { statusCode = 500, message, code = '' } = error as FastifyError;
  const nothing = { hint: undefined, facts: {} };
  if (/^(ENOSPC|EDQUOT|EROFS)$/.test(code)) return asKnown(cannotWrite('what was asked for', error));
  if (statusCode === 413 || /LIMIT|TOO_LARGE/.test(code))
    return { code: 'TOO_LARGE', status: 413, message, ...nothing };
  if (
    /^(ECONNRESET|ERR_STREAM_PREMATURE_CLOSE|ABORT_ERR)$/.test(code) ||
    message === 'Unexpected end of form'
  )
    return { code: 'BAD_OPTION', status: 400, message: 'the body broke off', ...nothing };
  if (statusCode >= 400 && statusCode < 500)
    return { code: 'BAD_OPTION', status: statusCode, message, ...nothing };
  return undefined;
}

/** Facts that say something to a client: numbers, names of fields; no paths, no words of tools. */
function shareable(facts: Readonly<Record<string, unknown>>): Record<string, unknown> | undefined {
  const kept = Object.entries(facts).filter(
    ([name, value]) =>
      /^(problems|what|value|limit|count|bytes|used|retryAfter|id|state|frame)$/.test(name) &&
      value !== undefined,
  );
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}
