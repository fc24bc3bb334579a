import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ProviderReport } from '../provider/provider-report.js';
import type { ListedSession, SignOutFilter } from '../session/session-administration.js';
import type { SessionListener } from '../session/session-events.js';
import type { CloseOptions, ListenOptions, ServeStdioOptions } from './options.js';

/** An MCP server whose clients each log in as their own user. */
export interface Sessions {
  /**
   * Starts an HTTP server, by default on loopback.
   * @returns the URL of the MCP endpoint
   * @throws SessionError `configuration`; the `EADDRINUSE` error of Node if the port is taken
   */
  listen(options?: ListenOptions): Promise<{ readonly url: string }>;
  /**
   * Serves a request of Node's HTTP server, or of a framework that uses it. Needs `publicUrl`. With `next`, it serves
   * only the MCP endpoint and the pages of a login, and calls `next` for all other paths, `/healthz` and `/readyz` included. Without
   * `next`, it answers other paths with 404. Mount it at the root, or at the path of `publicUrl`. If a parser has
   * consumed the body, it is taken from `request.body`. Create the server with {@link nodeServerOptions}, so that slow
   * clients do not occupy its connections.
   */
  readonly middleware: (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;
  /**
   * Serves a web-standard request. Needs `publicUrl`.
   * @param env the Node objects of the request; in Hono on Node, `c.env`. `incoming` shows whether a login came over
   * loopback; without it, every login asks for a confirmation code. With `outgoing`, the server can close the
   * connection of a client that does not read its answers.
   */
  handleRequest(request: Request, env?: NodeBindings): Promise<Response>;
  /**
   * Notifies every client that subscribed to this URI, of all users (`notifications/resources/updated`). A URI whose
   * content belongs to one user shows the others when it changes.
   */
  resourceUpdatedForAll(uri: string): void;
  /**
   * Serves one client over stdin and stdout, and handles SIGINT, SIGTERM and SIGHUP of this process meanwhile. The
   * redirect URI of logins is on a free port of 127.0.0.1 unless the options say otherwise. The port is opened when the
   * first login starts.
   * @returns when the client has disconnected or a signal was received, and all tokens are wiped
   * @throws SessionError `configuration` with `publicUrl` or `access`, or if this object has served requests; after
   * this call `listen`, `middleware` and `handleRequest` throw it
   */
  serveStdio(options?: ServeStdioOptions): Promise<void>;
  /**
   * Lists the sessions of this process, without secrets.
   * @throws SessionError `store_unavailable`
   */
  list(): Promise<readonly ListedSession[]>;
  /**
   * Signs out every session that meets all criteria of the filter: aborts its calls, wipes its tokens and revokes them
   * at the provider. In open access, a session of the 2026 era ends; every other one stays, and its user can log in
   * again.
   * @returns the number of matching sessions, when their tokens are wiped
   * @throws SessionError `configuration` if the filter has no criterion, an unknown one, or one without a value;
   * `unknown_provider`; `store_unavailable` if a session could not be signed out, after all others are
   */
  signOut(filter: SignOutFilter): Promise<number>;
  /**
   * Calls a listener with every event of a session or a login.
   * @returns a function that removes the listener
   */
  onEvent(listener: SessionListener): () => void;
  /**
   * Checks the providers without a user: name resolution, TLS, metadata, issuer, PKCE, client authentication, scopes,
   * revocation, clock, and the redirect URI as it has to be registered. In bearer access also the authorization server
   * of the clients. Each provider gets one token request with a random code, which shows whether it accepts the client.
   * Optional: providers are contacted on first use. Never rejects.
   * @returns one report for each provider, in the order of the options
   */
  checkProviders(): Promise<readonly ProviderReport[]>;
  /**
   * Closes the server. New requests, `/healthz` and `/readyz` get 503; calls in flight have up to `drainMs` to finish. Then every
   * session ends: its tokens are wiped at once, and revoked at the provider within another `drainMs`. The log names
   * what was not finished in time. Call it again to shorten the time: `close({ drainMs: 0 })` wipes at once.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** The Node objects of a request and its response. */
export interface NodeBindings {
  readonly incoming?: IncomingMessage | undefined;
  readonly outgoing?: ServerResponse | undefined;
}
