/** What the service says of itself, and who may call it. */
import { z } from 'zod';
import { MuseTalkError } from '../../core/errors.ts';
import { COOKIE, type Users } from '../auth.ts';
import { docsPage } from '../docs-page.ts';
import { describeApi } from '../openapi.ts';
import { type Route, route } from '../route.ts';
import type { Service } from '../service.ts';

/** What these routes tell of. */
export interface SystemParts {
  readonly users: Users;
  readonly version: string;
  /** All routes, these among them; read when they are described. */
  readonly routes: () => readonly Route[];
  readonly secretOf: (owner: string) => string;
}

const health = z.object({ status: z.string() });

/** The routes of health, numbers, description and sessions. */
export function systemRoutes(service: Service, { users, version, routes, secretOf }: SystemParts): Route[] {
  return [
    route({
      ...{
        method: 'GET',
        path: '/healthz',
        tag: 'Service',
        summary: 'Whether the process lives',
        open: true,
      },
      answers: { 200: { description: 'It does', schema: health } },
      handle: async () => ({ body: { status: 'ok' } }),
    }),
    route({
      ...{ method: 'GET', path: '/readyz', tag: 'Service', summary: 'Whether it takes dubs', open: true },
      answers: {
        200: { description: 'It does', schema: health },
        503: { description: 'It does not, and why', schema: health },
      },
      handle: async () => {
        const room = await service.hasRoom().catch(() => false);
        const queue = await service.queue.healthy().catch(() => false);
        const store = await service.store.healthy();
        const status = !queue
          ? 'the queue does not answer'
          : !store
            ? 'the store does not answer'
            : !room
              ? 'the disk is nearly full'
              : 'ok';
        return { status: status === 'ok' ? 200 : 503, body: { status } };
      },
    }),
    route({
      ...{ method: 'GET', path: '/metrics', tag: 'Service', summary: 'Numbers for Prometheus' },
      answers: { 200: { description: 'Text in the format of Prometheus', type: 'text/plain' } },
      handle: async ({ reply }) => {
        reply.type(service.metrics.registry.contentType);
        return { body: await service.metrics.registry.metrics() };
      },
    }),
    route({
      ...{ method: 'GET', path: '/openapi.json', tag: 'Service', summary: 'This description', open: true },
      answers: { 200: { description: 'OpenAPI 3.1', schema: z.record(z.string(), z.unknown()) } },
      handle: async () => ({ body: describeApi(routes(), version) }),
    }),
    route({
      ...{ method: 'GET', path: '/docs', tag: 'Service', summary: 'This description, to read', open: true },
      answers: { 200: { description: 'A page', type: 'text/html' } },
      handle: async ({ reply }) => {
        const { html, policy } = docsPage(describeApi(routes(), version));
        reply.type('text/html; charset=utf-8').header('content-security-policy', policy);
        return { body: html };
      },
    }),
    route({
      ...{ method: 'GET', path: '/v1/limits', tag: 'Service', summary: 'What this service takes at most' },
      answers: { 200: { description: 'Limits', schema: z.record(z.string(), z.number()) } },
      handle: async () => {
        const { maxUpload, maxStorage, maxDuration, maxPixels, maxQueued, createRate, readRate, keep } =
          service.options;
        return {
          body: { maxUpload, maxStorage, maxDuration, maxPixels, maxQueued, createRate, readRate, keep },
        };
      },
    }),
    route({
      ...{
        method: 'GET',
        path: '/v1/webhook-secret',
        tag: 'Service',
        summary: 'The key that signs your webhooks',
      },
      answers: { 200: { description: 'The key', schema: z.object({ secret: z.string() }) } },
      handle: async ({ owner }) => ({ body: { secret: secretOf(owner) } }),
    }),
    route({
      ...{
        method: 'POST',
        path: '/v1/session',
        tag: 'Service',
        summary: 'Let a page in: a cookie for a token',
        open: true,
      },
      body: z.strictObject({ token: z.string().min(1).max(512) }),
      answers: { 204: { description: 'The cookie is set' } },
      handle: async ({ body, request, reply }) => {
        if (!users.required) return { status: 204 };
        const owner = users.byToken(body.token);
        if (owner === undefined) throw new MuseTalkError('UNAUTHORIZED', 'the token is not known', {});
        reply.header('set-cookie', users.session(owner, request.protocol === 'https'));
        return { status: 204 };
      },
    }),
    route({
      ...{ method: 'DELETE', path: '/v1/session', tag: 'Service', summary: 'Forget the cookie', open: true },
      answers: { 204: { description: 'It is forgotten' } },
      handle: async () => ({
        status: 204,
        headers: { 'set-cookie': `${COOKIE}=; Path=/; HttpOnly; Max-Age=0` },
      }),
    }),
  ];
}
