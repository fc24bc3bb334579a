import { plainAddressOf } from '../limits/peer.js';
import { isLoopbackHost } from '../loopback.js';
import { hostnameOf } from './allow-lists.js';
import { forwardingHeaderOf, isOverHttp10 } from './forwarding.js';
import { type GuardedRequest, hostOf } from './guards.js';
import type { TrustedProxies } from './trusted-proxies.js';

export interface DeploymentWarningsOptions {
  readonly trustedProxies: TrustedProxies;
  readonly publicUrl: () => URL;
  /** Tells the operator. */
  readonly warn: (message: string) => void;
}

type Kind =
  | 'untrusted-proxy'
  | 'unnamed-clients'
  | 'hidden-proxy'
  | 'rewritten-host'
  | 'prefix'
  | 'host'
  | 'origin';

/** What a client sent is quoted no further than this. */
const MAX_QUOTED_CHARACTERS = 100;

/**
 * Tells the operator, once for each kind of trouble, what requests show of how this server is deployed. Clients cannot
 * fill the log with it.
 */
export class DeploymentWarnings {
  readonly #options: DeploymentWarningsOptions;
  readonly #told = new Set<Kind>();

  constructor(options: DeploymentWarningsOptions) {
    this.#options = options;
  }

  /** Looks at a request that was let in. */
  inspect(request: GuardedRequest): void {
    const { headers, incoming } = request;
    const address = plainAddressOf(incoming?.socket.remoteAddress ?? '');
    const header = forwardingHeaderOf(headers);
    if (header === undefined) {
      if (isOverHttp10(incoming)) this.#warnOf('hidden-proxy', HIDDEN_PROXY);
      return;
    }
    const { trustedProxies, publicUrl } = this.#options;
    if (address !== undefined && !trustedProxies.has(address)) {
      this.#warnOf(
        'untrusted-proxy',
        `Requests come from ${address} with the header ${quoted(header)}, as proxies and tunnels add it, but that address is not a trusted proxy. All clients behind it count as one client and share its limits. List it in \`trustedProxies\` (MCP_SESSIONS_TRUSTED_PROXIES). If it is not a proxy, a client has written the header, and there is nothing to do.`,
      );
    } else if (address !== undefined && !headers.has('x-forwarded-for')) {
      this.#warnOf(
        'unnamed-clients',
        `The trusted proxy ${address} does not name its clients in X-Forwarded-For, only in ${quoted(header)}, which is not read. All clients behind it count as one client and share its limits. Have it send X-Forwarded-For.`,
      );
    }
    const prefix = headers.get('x-forwarded-prefix')?.replace(/\/*$/, '/');
    if (prefix !== undefined && prefix !== publicUrl().pathname) {
      this.#warnOf(
        'prefix',
        `A proxy in front of this server strips the path ${quoted(prefix)} (X-Forwarded-Prefix), but the path of \`publicUrl\` is "${publicUrl().pathname}", so links lead elsewhere. Give \`publicUrl\` (MCP_SESSIONS_PUBLIC_URL) the path that the proxy strips.`,
      );
    }
    const isHostHere = isLoopbackHost(hostnameOf(hostOf(request) ?? '') ?? '');
    if (isHostHere && !isLoopbackHost(publicUrl().hostname)) this.#warnOf('rewritten-host', REWRITTEN_HOST);
  }

  /** A request was refused for the host that it addresses. */
  refusedHost(request: GuardedRequest): void {
    const hostname = hostnameOf(hostOf(request) ?? '');
    this.#warnOf(
      'host',
      `A request was refused because it addresses the host ${hostname === undefined ? 'in no valid way' : quoted(hostname)}. If clients reach this server under that name, list it in \`allowedHosts\` (MCP_SESSIONS_ALLOWED_HOSTS), or have the proxy in front pass on the \`Host\` that clients send.`,
    );
  }

  /** A request was refused for the page that sent it. */
  refusedOrigin(origin: string): void {
    this.#warnOf(
      'origin',
      `A request was refused because a page of the origin ${quoted(origin)} sent it. If pages of that origin may call this server, list it in \`allowedOrigins\` (MCP_SESSIONS_ALLOWED_ORIGINS).`,
    );
  }

  #warnOf(kind: Kind, message: string): void {
    if (this.#told.has(kind)) return;
    this.#told.add(kind);
    this.#options.warn(message);
  }
}

const HIDDEN_PROXY =
  'Requests come over HTTP/1.0, which clients do not speak: they come through a proxy that adds no header. They do not count as requests from this machine. Have the proxy pass on `Host` and send X-Forwarded-For; nginx: `proxy_http_version 1.1; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`.';

const REWRITTEN_HOST =
  'A proxy in front of this server writes the address of this machine into `Host`. Have it pass on the `Host` that clients send; nginx: `proxy_set_header Host $host;`.';

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, MAX_QUOTED_CHARACTERS));
}
