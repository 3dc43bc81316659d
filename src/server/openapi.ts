/** The OpenAPI 3.1 description of the service, printed from its routes and their schemas. */
import { z } from 'zod';
import { ERROR_CODES } from '../core/errors.ts';
import { errorAnswer } from './protocol.ts';
import type { Route } from './route.ts';

/** The parts of a description that are written here. */
export interface Description {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: Record<string, unknown>;
  readonly [more: string]: unknown;
}

/** A method of a path. */
export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Record<string, { schema: JsonSchema }>;
  };
  readonly responses: Record<string, unknown>;
  readonly security?: readonly unknown[];
}

/** A value in a path, a query or a header. */
export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: JsonSchema;
  readonly description?: string;
}

/** A schema as JSON Schema writes it. */
export type JsonSchema = Record<string, unknown>;

/** The description of these routes. */
export function describeApi(routes: readonly Route[], version: string): Description {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    if (route.hidden) continue;
    paths[route.path] ??= {};
    paths[route.path]![route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'MuseTalk',
      version,
      description:
        'Makes a face say any recording. Upload a video and a sound, start a dub, follow it, fetch the result.',
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: { Error: schemaOf(errorAnswer, 'output') },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        key: { type: 'apiKey', in: 'header', name: 'x-api-key' },
      },
    },
    security: [{ bearer: [] }, { key: [] }],
    'x-error-codes': Object.fromEntries(
      Object.entries(ERROR_CODES).map(([code, { status }]) => [code, status]),
    ),
  };
}

function operationOf(route: Route): Operation {
  const { method, path, summary, description, tag, body, content, answers, open } = route;
  return {
    operationId: `${method.toLowerCase()}${path.replaceAll(/[^a-z]+(.)?/gi, (_, letter = '') => letter.toUpperCase())}`,
    summary,
    ...(description !== undefined && { description }),
    tags: [tag],
    parameters: [
      ...parametersOf(route.params, 'path'),
      ...parametersOf(route.query, 'query'),
      ...(route.headers ?? []).map(({ name, description }) => ({
        ...{ name, in: 'header' as const, required: false, schema: { type: 'string' }, description },
      })),
    ],
    ...(body && {
      requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, 'input') } } },
    }),
    ...(content && {
      requestBody: {
        required: true,
        content: Object.fromEntries(
          content.map((type) => [type, { schema: { type: 'string', format: 'binary' } }]),
        ),
      },
    }),
    responses: responsesOf(answers),
    ...(open && { security: [] }),
  };
}

function responsesOf(answers: Route['answers']): Record<string, unknown> {
  const own = Object.entries(answers).map(([status, { description, schema, type = 'application/json' }]) => [
    status,
    {
      description,
      ...(schema && { content: { [type]: { schema: schemaOf(schema, 'output') } } }),
      ...(!schema && type !== 'application/json' && { content: { [type]: { schema: { type: 'string' } } } }),
    },
  ]);
  const error = { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } };
  return {
    ...Object.fromEntries(own),
    default: { description: 'What went wrong, by a code', content: error },
  };
}

function parametersOf(schema: z.ZodType | undefined, where: 'path' | 'query'): Parameter[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: rest,
    ...(typeof description === 'string' && { description }),
  }));
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const {
    $schema: _,
    id: _id,
    ...rest
  } = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' });
  return inlined(rest, (rest.$defs ?? {}) as Record<string, unknown>) as JsonSchema;
}

/** Puts definitions where they are referred to, so that each schema reads by itself. */
function inlined(value: unknown, definitions: Record<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((item) => inlined(item, definitions));
  if (typeof value !== 'object' || value === null) return value;
  const reference = (value as { $ref?: string }).$ref;
  if (reference?.startsWith('#/$defs/')) return inlined(definitions[reference.slice(8)], definitions);
  return Object.fromEntries(
    Object.entries(value)
      .filter(
        ([name]) => name !== '$defs' && !(name === 'id' && typeof (value as { id: unknown }).id === 'string'),
      )
      .map(([name, item]) => [name, inlined(item, definitions)]),
  );
}
