import type { HttpBindings } from '@hono/node-server';
import type { Peer } from '../limits/peer.js';

/** What the routes know of a request besides itself. */
export interface HttpEnv {
  /** Node's side of the connection; absent where the handler runs without Node's HTTP server. */
  readonly Bindings: Partial<HttpBindings>;
  readonly Variables: {
    /** Whether the request came from this machine and nowhere else. */
    isLoopback: boolean;
    /** Whether anything says that it came from elsewhere. */
    isFromAfar: boolean;
    /** The address that it counts for; absent for this machine's, and where it is not known. */
    peer: Peer | undefined;
  };
}
