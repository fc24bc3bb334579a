import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { RequestOrigin } from '../access/access.js';
import type { ClientKey } from '../limits/client-key.js';
import type { BodySource } from './body/request-body.js';

/** What the routes know of a request besides itself. */
export interface HttpEnv {
  /** Node's side of the connection; absent where the handler runs without Node's HTTP server. */
  readonly Bindings: Partial<HttpBindings> & {
    /** Whether the request is made of `incoming`, and of nothing that somebody has put in between. */
    readonly isPlain?: true;
  };
  readonly Variables: {
    origin: RequestOrigin;
    /** The address that it counts for; absent for this machine's, and where it is not known. */
    clientKey: ClientKey | undefined;
  };
}

/** Where the body of a request comes from. */
export function bodySourceOf(c: Context<HttpEnv>): BodySource {
  const { incoming, isPlain = false } = c.env ?? {};
  return { request: c.req.raw, incoming, isPlain, clientKey: c.get('clientKey') };
}
