import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SessionListener } from '../session/session-events.js';
import type { CloseOptions, ListenOptions, ServeStdioOptions } from './options.js';

/** An MCP server whose every client logs in as its own user. */
export interface Sessions {
  /** Starts an HTTP server of its own, on loopback unless told otherwise. @returns the MCP endpoint's address. */
  listen(options?: ListenOptions): Promise<{ readonly url: string }>;
  /**
   * Serves a request of Node's HTTP server, or of a framework on top of it. Needs `publicUrl`. Given `next`, as
   * middleware is, it serves only its own paths (the MCP endpoint and the pages of a login) and passes all others on,
   * `/healthz` too; without, it answers those 404. Mount it at the root, or at the path of `publicUrl`. If a parser has
   * consumed the body, it is taken from `request.body`. Create the server with {@link nodeServerOptions}, so that slow
   * clients do not hold its connections.
   */
  readonly middleware: (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;
  /**
   * Serves a web-standard request. Needs `publicUrl`.
   * @param env Node's side of the request, which Hono on Node has as `c.env`. `incoming` shows whether a login
   * came over loopback; without it, logins always ask for the confirmation code. Through `outgoing` the
   * connection of a client that does not read is cut.
   */
  handleRequest(request: Request, env?: NodeSide): Promise<Response>;
  /**
   * Tells every client that subscribed to a resource of yours that it has changed. All subscribers of an
   * address hear of it, whoever they are: an address that stands for one user's data tells the others when.
   */
  resourceUpdatedForAll(uri: string): void;
  /**
   * Serves one client over stdin and stdout, and takes SIGINT and SIGTERM for this process meanwhile. Logins
   * come back to a free port of 127.0.0.1, which is opened when the first one starts.
   * @returns once the client has gone or a signal came, and everything is wiped and closed
   * @throws SessionError `configuration` if there is a `publicUrl`, or if this object has served anything yet;
   * from then on `listen`, `nodeHandler` and `fetch` throw the same
   */
  serveStdio(options?: ServeStdioOptions): Promise<void>;
  /** Hears what happens to sessions. @returns a function that ends the subscription. */
  onEvent(listener: SessionListener): () => void;
  /**
   * Whether the identity providers can be reached, and in bearer access the authorization server. Nothing needs
   * this: whoever has to ask them does so in time.
   * @throws SessionError `provider_unavailable`, `provider_refused` if not
   */
  checkProviders(): Promise<void>;
  /**
   * Closes the server. New requests and `/healthz` get 503; calls in flight have up to `drainMs` to finish. Then every
   * session ends: its tokens are wiped at once, and revoked upstream within another `drainMs`. The log says what was
   * not finished by then. Call it again to shorten the wait: `close({ drainMs: 0 })` wipes at once.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** A request and its response as Node sees them. */
export interface NodeSide {
  readonly incoming?: IncomingMessage | undefined;
  readonly outgoing?: ServerResponse | undefined;
}
