import type { AccessOptions } from '../access/access-options.js';
import type { Limits } from '../limits/limits.js';
import type { Branding } from '../login/pages/branding.js';
import type { RegisterTools, ServerInfo } from '../mcp/server/factory.js';
import type { Elicitation } from '../mcp/tools/login/elicitation-policy.js';
import type { Logger } from '../observe/logger.js';
import type { ProviderOptions } from '../provider/provider-options.js';
import type { Lifetimes } from '../session/lifetimes.js';
import type { Clock } from '../time/clock.js';
import type { RandomSource } from '../vault/random.js';

/** The options of {@link createSessions}. `ProviderName`: the names of `providers`. */
export interface SessionsOptions<ProviderName extends string = string> {
  /** How the server introduces itself. */
  readonly server: ServerInfo;
  /** Name and logo on the pages that people see during a login. Default: the server's title or name, no logo. */
  readonly branding?: Branding | undefined;
  /** Registers your tools, resources and prompts on a server object. Called for every one, so keep it light. */
  readonly tools: RegisterTools<NoInfer<ProviderName>>;
  /** Where users log in; several are told apart by their names, and the first is the default. */
  readonly providers: ProviderOptions<ProviderName> | readonly ProviderOptions<ProviderName>[];
  /**
   * The URL at which browsers and clients reach this server; https unless on loopback. Its path is the one that the
   * server is mounted at: with `https://host/api` the endpoint is `https://host/api/mcp`, and the redirect URI
   * `https://host/api/callback`. A proxy in front may strip that path or keep it. Default: the loopback address that
   * `listen` binds.
   */
  readonly publicUrl?: string | undefined;
  /**
   * How clients are let in. Default: `open`, to whoever is on this machine; with a public URL or an address that
   * others can reach, say who may come in.
   */
  readonly access?: AccessOptions | undefined;
  /**
   * Which clients are asked to open the link of a login (URL elicitation). `auto`: clients that declare it. `never`: no
   * client; `login` returns the link to the model. Use it for hosts that declare elicitation but do not ask their
   * users. Default: `auto`.
   */
  readonly elicitation?: Elicitation | undefined;
  /**
   * Accepted host names besides the one of the public URL, without port and wildcards. `/healthz` accepts every host
   * name. Default: none.
   */
  readonly allowedHosts?: readonly string[] | undefined;
  /**
   * Accepted origins of pages besides the server's own: `https://app.example.com`, `chrome-extension://…`,
   * `vscode-webview://…`; without wildcards. Pages of other ports of this machine have to be listed, too, such as
   * `http://localhost:6274` for the MCP Inspector. Default: none.
   */
  readonly allowedOrigins?: readonly string[] | undefined;
  /**
   * The proxies in front of this server, as addresses or ranges (`10.0.0.0/8`, `fd00::/8`). Only what comes from
   * one of them is counted for the address that its `X-Forwarded-For` names, and not for the proxy's. Public
   * address and scheme are `publicUrl` all the same. Default: none.
   */
  readonly trustedProxies?: readonly string[] | undefined;
  /** Deviations from the default lifetimes, in milliseconds. */
  readonly lifetimes?: Partial<Lifetimes> | undefined;
  /** Deviations from the default limits. */
  readonly limits?: Partial<Limits> | undefined;
  /** Gets the audit log. Default: silent. */
  readonly logger?: Logger | undefined;
  /**
   * Whether the process may run under `--inspect`, `--heapsnapshot-…`, `NODE_DEBUG=http` and similar options, which
   * expose users' tokens. `true`: no check. `false`: `createSessions` throws. Default: a warning to `logger`, or by
   * `process.emitWarning` without a logger.
   */
  readonly allowDebugging?: boolean | undefined;
  /** Replaces what the library takes from its surroundings, for tests. */
  readonly runtime?: Partial<Runtime> | undefined;
}

/** What the library takes from its surroundings. */
export interface Runtime {
  /** Default: Node's monotonic clock. */
  readonly clock: Clock;
  /** Default: Node's CSPRNG. Every key, id and handle comes from here: anything weaker belongs in tests. */
  readonly random: RandomSource;
  /** Calls providers and APIs. Default: the global `fetch`. */
  readonly fetch: typeof fetch;
}

/** How to serve stdin and stdout. */
export interface ServeStdioOptions {
  /**
   * Opens the link of a login in the user's browser, unless the client declares that it does so itself. On
   * Linux only where `DISPLAY` or `WAYLAND_DISPLAY` is set. Default: true.
   */
  readonly openBrowser?: boolean | undefined;
}

/** Options of `sessions.close`. */
export interface CloseOptions {
  /**
   * How long to wait for calls in flight, and then as long again for revocations, in milliseconds. Default:
   * `shutdownDrainMs`.
   */
  readonly drainMs?: number | undefined;
}

/** Where to listen. */
export interface ListenOptions {
  /** Default: 3000; `0` takes any free port. */
  readonly port?: number | undefined;
  /** Default: `127.0.0.1`. Beyond loopback it needs a `publicUrl`, belongs behind TLS, and `access` has to say who may come in. */
  readonly host?: string | undefined;
  /**
   * How long a connection is kept between requests, in milliseconds. Set it longer than the load balancer in front
   * keeps its connections: otherwise the load balancer may send a request on a connection that is closing, and answer
   * 502. Default: 65,000, for load balancers that keep connections for 60 seconds.
   */
  readonly keepAliveMs?: number | undefined;
}
