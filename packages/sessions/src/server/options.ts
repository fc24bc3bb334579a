import type { AccessOptions } from '../access/access-options.js';
import type { Limits } from '../limits/limits.js';
import type { Branding } from '../login/pages/branding.js';
import type { RegisterTools, ServerInfo } from '../mcp/server/factory.js';
import type { Elicitation } from '../mcp/tools/login/elicitation-policy.js';
import type { Logger } from '../observe/logger.js';
import type { ProviderOptions } from '../provider/provider-options.js';
import type { Lifetimes } from '../session/lifetimes.js';
import type { Cluster } from '../store/cluster.js';
import type { Clock } from '../time/clock.js';
import type { RandomSource } from '../vault/random.js';

export type { Cluster } from '../store/cluster.js';

/** The options of {@link createSessions}. `ProviderName`: the names of `providers`, if all have one. */
export interface SessionsOptions<ProviderName extends string = string> {
  /** The name, version and instructions that clients get. */
  readonly server: ServerInfo;
  /** The name and the logo on the pages of a login. Default: the server's title or name, without a logo. */
  readonly branding?: Branding | undefined;
  /** Registers your tools, resources and prompts. */
  readonly tools: RegisterTools<NoInfer<ProviderName>>;
  /** The providers that users log in at. The first is the default. Several providers need different names. */
  readonly providers: ProviderOptions<ProviderName> | readonly ProviderOptions<ProviderName>[];
  /**
   * The URL at which browsers and clients reach this server. It uses https, except on loopback. Its path is the path
   * that the server is mounted at: with `https://host/api` the endpoint is `https://host/api/mcp`, and the redirect URI
   * is `https://host/api/callback`. A proxy may strip this path or keep it. Default: the loopback address that `listen`
   * binds.
   */
  readonly publicUrl?: string | undefined;
  /**
   * Which clients the endpoint accepts. Default: `open`, for clients on this machine. Required with a public URL or a
   * listening address that other machines can reach.
   */
  readonly access?: AccessOptions | undefined;
  /**
   * Which clients are asked to open the link of a login (URL elicitation). `auto`: clients that declare the capability.
   * `never`: none; `login` returns the link to the model. Use `never` for hosts that declare the capability but do not
   * ask their users. Default: `auto`.
   */
  readonly elicitation?: Elicitation | undefined;
  /**
   * What calls a tool in the usual case. `direct`: this library; the SDK gets everything unusual. `sdk`: the SDK calls
   * every tool, which takes several times as long. Answers are the same. Default: `direct`.
   */
  readonly dispatch?: Dispatch | undefined;
  /**
   * Whether 2025 connections hibernate. `true`: a connection that was not used for half a minute loses its server
   * object, which takes most of its memory. The next request gets another one: `tools` runs again, and the variables of
   * its closure are new, so keep data of a user in `session.state`. A server object is kept if its client is subscribed
   * to resources, if `tools` sets `oninitialized` or `onclose`, or if it was changed after `tools` had run.
   * `false`: each connection keeps its server object. Default: `true`.
   */
  readonly hibernate?: boolean | undefined;
  /**
   * Host names that are accepted besides that of the public URL, without ports and wildcards. `/healthz` and
   * `/readyz` accept every host name. Default: none.
   */
  readonly allowedHosts?: readonly string[] | undefined;
  /**
   * Origins of web pages that may call the endpoint besides the server's own: `https://app.example.com`,
   * `chrome-extension://…`, `vscode-webview://…`; without wildcards. Pages on other ports of this machine have to be
   * listed, too: `http://localhost:6274` for the MCP Inspector. Default: none.
   */
  readonly allowedOrigins?: readonly string[] | undefined;
  /**
   * The proxies in front of this server, as addresses or ranges (`10.0.0.0/8`, `fd00::/8`). Their `X-Forwarded-For`
   * names the client address that the limits count; the header of any other sender is ignored. The public host and
   * scheme always come from `publicUrl`. Default: none.
   */
  readonly trustedProxies?: readonly string[] | undefined;
  /** Lifetimes that differ from the defaults, in milliseconds. */
  readonly lifetimes?: Partial<Lifetimes> | undefined;
  /** Limits that differ from the defaults. */
  readonly limits?: Partial<Limits> | undefined;
  /**
   * The processes that serve the same sessions: `redisCluster` of `mcp-sessions/redis`. Their other options are the
   * same. `runtime.clock` is that of the engine then. Default: this process is alone, and its sessions end with it.
   */
  readonly cluster?: Cluster | undefined;
  /** Receives the audit log, warnings and errors. Default: nothing is logged. */
  readonly logger?: Logger | undefined;
  /**
   * Whether the process may run under `--inspect`, `--heapsnapshot-…`, `NODE_DEBUG=http` and similar options, which
   * expose users' tokens. `true`: no check. `false`: `createSessions` throws. Default: a warning to `logger`, or by
   * `process.emitWarning` without a logger.
   */
  readonly allowDebugging?: boolean | undefined;
  /** Replaces the clock, the random source or `fetch`, for tests. */
  readonly runtime?: Partial<Runtime> | undefined;
}

/** What calls a tool of a 2026 client in the usual case. */
export type Dispatch = 'direct' | 'sdk';

/** Options whose providers all have a `name`, which tools then have to spell correctly. */
export interface NamedProviders<ProviderName extends string> {
  readonly providers:
    | (ProviderOptions<ProviderName> & { readonly name: ProviderName })
    | readonly (ProviderOptions<ProviderName> & { readonly name: ProviderName })[];
}

/** The clock, the random source and the HTTP client that the library uses. */
export interface Runtime {
  /** Default: Node's monotonic clock. */
  readonly clock: Clock;
  /** Default: Node's CSPRNG. All keys, ids and handles are made of it, so use weaker sources in tests only. */
  readonly random: RandomSource;
  /**
   * Calls providers and APIs. Default: the global `fetch`, through the proxies that `HTTPS_PROXY`, `HTTP_PROXY` and
   * `NO_PROXY` name when `createSessions` is called. Loopback addresses are always called directly.
   */
  readonly fetch: typeof fetch;
}

/** Options of `sessions.serveStdio`. */
export interface ServeStdioOptions {
  /**
   * Whether to open the link of a login in the user's browser, unless the client declares that it opens links. On Linux
   * this needs `DISPLAY` or `WAYLAND_DISPLAY`. Default: true.
   */
  readonly openBrowser?: boolean | undefined;
  /**
   * The port of the redirect URI, for providers that compare it (RFC 8252 section 7.3 lets them accept any). Two
   * processes cannot use it at the same time. Default: a free port.
   */
  readonly callbackPort?: number | undefined;
  /**
   * The host of the redirect URI. `localhost` is for providers that accept no address (RFC 8252 section 8.3): the
   * server then listens on 127.0.0.1 and ::1. Default: `127.0.0.1`.
   */
  readonly callbackHost?: '127.0.0.1' | 'localhost' | undefined;
}

/** Options of `sessions.close`. */
export interface CloseOptions {
  /**
   * The time for calls in flight to finish, and then again for revocations, in milliseconds. Default:
   * `lifetimes.shutdownDrainMs`.
   */
  readonly drainMs?: number | undefined;
}

/** Options of `sessions.listen`. */
export interface ListenOptions {
  /** `0`: any free port. Default: 3000. */
  readonly port?: number | undefined;
  /**
   * The address to bind. Other addresses than loopback need `publicUrl` and `access`, and a proxy that adds TLS.
   * Default: `127.0.0.1`.
   */
  readonly host?: string | undefined;
  /**
   * The time that an idle connection is kept open, in milliseconds. Set it longer than the idle timeout of the load
   * balancer: otherwise the load balancer may send a request on a connection that is closing, and answer 502. Default:
   * 65,000, for load balancers with an idle timeout of 60 seconds.
   */
  readonly keepAliveMs?: number | undefined;
}
