import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { RequestOrigin } from '../access/access.js';
import type { ClientKey } from '../limits/client-key.js';
import type { BodySource } from './body/body-source.js';
import type { HandedOn } from './plain-lane.js';
import type { RequestEnd } from './request-end.js';

/** The environment of the routes (Hono). */
export interface HttpEnv {
  /** Node's side of the connection; absent where the handler runs without Node's HTTP server. */
  readonly Bindings: Partial<HttpBindings> & {
    /** Whether the request has the body of `incoming`. Middleware of other frameworks may have replaced it. */
    readonly isUnmodified?: true;
    /** What the plain lane has found out about the request. Absent if it has not taken it. */
    readonly handedOn?: HandedOn | undefined;
  };
  readonly Variables: {
    origin: RequestOrigin;
    /** The client address that the request counts for. Absent for local requests, and for unknown addresses. */
    clientKey: ClientKey | undefined;
    end: RequestEnd;
  };
}

/** The source of a request's body. */
export function bodySourceOf(c: Context<HttpEnv>): BodySource {
  const { incoming, isUnmodified = false } = c.env ?? {};
  return { request: c.req.raw, incoming, isUnmodified, clientKey: c.get('clientKey') };
}
