import { parseAddress } from '../limits/client-key.js';
import { isLoopbackHost } from '../secure-url.js';
import { hostnameOf } from './allow-lists.js';
import type { TrustedProxies } from './client-address.js';
import { forwardingHeaderOf, isOverHttp10 } from './forwarding.js';
import { type GuardedRequest, hostOf } from './guards.js';

export interface DeploymentWarningsOptions {
  readonly trustedProxies: TrustedProxies;
  readonly publicUrl: () => URL;
  /** Logs a warning for the operator. */
  readonly warn: (message: string) => void;
}

type Kind =
  | 'untrusted-proxy'
  | 'no-forwarded-for'
  | 'hidden-proxy'
  | 'rewritten-host'
  | 'prefix'
  | 'host'
  | 'origin';

/** The maximum length of quoted values from a request. */
const MAX_QUOTED_CHARACTERS = 100;

/**
 * Warns the operator when requests show that this server's deployment is misconfigured. Logs each kind of warning once,
 * so that clients cannot fill the log.
 */
export class DeploymentWarnings {
  readonly #options: DeploymentWarningsOptions;
  readonly #logged = new Set<Kind>();

  constructor(options: DeploymentWarningsOptions) {
    this.#options = options;
  }

  /** Inspects an accepted request. */
  inspect(request: GuardedRequest): void {
    const { headers, incoming } = request;
    const header = forwardingHeaderOf(headers);
    if (header === undefined) {
      if (isOverHttp10(incoming)) this.#warnOf('hidden-proxy', HIDDEN_PROXY);
      return;
    }
    const { trustedProxies, publicUrl } = this.#options;
    const address = parseAddress(incoming?.socket.remoteAddress ?? '');
    if (address !== undefined && !trustedProxies.has(address)) {
      this.#warnOf(
        'untrusted-proxy',
        `Requests from ${address.address} have the header ${quoted(header)}, which proxies and tunnels add, but that address is not a trusted proxy. All clients behind it count as one client and share its limits. If it is your proxy, list it in \`trustedProxies\` (MCP_SESSIONS_TRUSTED_PROXIES). If it is not, a client wrote the header, and you need not do anything.`,
      );
    } else if (address !== undefined && !headers.has('x-forwarded-for')) {
      this.#warnOf(
        'no-forwarded-for',
        `The trusted proxy ${address.address} sends no X-Forwarded-For, only ${quoted(header)}, which is not read. All clients behind it count as one client and share its limits. Configure it to send X-Forwarded-For.`,
      );
    }
    const prefix = headers.get('x-forwarded-prefix');
    if (prefix !== null && ![prefix, `${prefix}/`].includes(publicUrl().pathname)) {
      this.#warnOf(
        'prefix',
        `A proxy in front of this server strips the path ${quoted(prefix)} (X-Forwarded-Prefix), but the path of \`publicUrl\` is "${publicUrl().pathname}", so its links do not work. Set \`publicUrl\` (MCP_SESSIONS_PUBLIC_URL) to a URL with the path that the proxy strips.`,
      );
    }
    const isHostHere = isLoopbackHost(hostnameOf(hostOf(request) ?? '') ?? '');
    if (isHostHere && !isLoopbackHost(publicUrl().hostname)) this.#warnOf('rewritten-host', REWRITTEN_HOST);
  }

  /** Warns of a request that was refused because of its host. */
  refusedHost(request: GuardedRequest): void {
    const hostname = hostnameOf(hostOf(request) ?? '');
    this.#warnOf(
      'host',
      `A request was refused because its host ${hostname === undefined ? 'is not valid' : `${quoted(hostname)} is not listed`}. If clients reach this server under another name than that of its public URL, list the name in \`allowedHosts\` (MCP_SESSIONS_ALLOWED_HOSTS), or configure the proxy in front to pass on the \`Host\` that clients send.`,
    );
  }

  /** Warns of a request that was refused because of its origin. */
  refusedOrigin(origin: string): void {
    this.#warnOf(
      'origin',
      `A request was refused because its origin ${quoted(origin)} is not listed. If pages of that origin may call this server, list it in \`allowedOrigins\` (MCP_SESSIONS_ALLOWED_ORIGINS).`,
    );
  }

  #warnOf(kind: Kind, message: string): void {
    if (this.#logged.has(kind)) return;
    this.#logged.add(kind);
    this.#options.warn(message);
  }
}

const HIDDEN_PROXY =
  'Requests come over HTTP/1.0, which MCP clients and browsers do not speak: a proxy in front of this server adds no header. These requests do not count as requests of this machine. Configure the proxy to pass on `Host` and to send X-Forwarded-For; nginx: `proxy_http_version 1.1; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`.';

const REWRITTEN_HOST =
  'A proxy in front of this server writes the address of this machine into `Host`. Configure it to pass on the `Host` that clients send; nginx: `proxy_set_header Host $host;`.';

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, MAX_QUOTED_CHARACTERS));
}
