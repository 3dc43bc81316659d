/** A route as data: from one declaration come its checks, its place in the server and its page in the description. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';

/** A request as a route gets it, checked. */
export interface RouteCall<Params = unknown, Query = unknown, Body = unknown> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Whose request it is. */
  readonly owner: string;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** An answer of a route; `undefined` when the route has answered by itself. */
export interface RouteAnswer {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a route may answer, by status. */
export interface Answers {
  readonly [status: number]: {
    readonly description: string;
    readonly schema?: z.ZodType;
    readonly type?: string;
  };
}

/** A route. */
export interface Route<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS';
  /** As OpenAPI writes it: `/v1/dubs/{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  readonly params?: P;
  readonly query?: Q;
  /** A JSON body. */
  readonly body?: B;
  /** Another kind of body, which the route reads by itself. */
  readonly content?: readonly string[];
  readonly headers?: readonly { readonly name: string; readonly description: string }[];
  readonly answers: Answers;
  /** Anybody may call it. */
  readonly open?: true;
  /** Left out of the description. */
  readonly hidden?: true;
  readonly handle: (
    call: RouteCall<z.output<P>, z.output<Q>, z.output<B>>,
  ) => Promise<RouteAnswer | undefined>;
}

/** Names the types of a route's parts, so that its handler knows them. */
export function route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  given: Route<P, Q, B>,
): Route {
  return given as unknown as Route;
}
