import type { IncomingMessage } from 'node:http';
import { isLoopbackHost } from '../loopback.js';
import { hostnameOf } from './allow-lists.js';
import { targetOf } from './base-path.js';
import { forwardingHeaderOf, isOverHttp10 } from './forwarding.js';

/** Who may talk to this server. */
export interface GuardOptions {
  readonly publicUrl: () => URL;
  /** Host names, besides the public URL's, under which the server may be addressed. */
  readonly allowedHosts: readonly string[];
  /** Origins, besides the server's own, whose pages may call it. */
  readonly allowedOrigins: readonly string[];
}

/** A request together with what Node knows of its connection, if it came through Node. */
export interface GuardedRequest {
  /** The address as the framework around this server has it; some write a fixed host into it. */
  readonly url: string;
  readonly headers: Headers;
  readonly incoming: IncomingMessage | undefined;
}

/** Protects a server on loopback from pages that reach it under a name of their own (DNS rebinding). */
export class Guards {
  readonly #options: GuardOptions;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Whether a request names this server as its host. */
  allowsHost(request: GuardedRequest): boolean {
    const hostname = hostnameOf(hostOf(request) ?? '');
    if (hostname === undefined) return false;
    const { publicUrl, allowedHosts } = this.#options;
    if (hostname === hostnameOf(publicUrl().host) || allowedHosts.includes(hostname)) return true;
    const { incoming } = request;
    const isLocal = incoming ? isLocalConnection(incoming) : isLoopbackHost(publicUrl().hostname);
    return isLocal && isLoopbackHost(hostname);
  }

  /**
   * Whether the page that sent the request, if it was one, may. A page that this server's own host has served may,
   * whichever of the allowed names it was requested under; pages of another port may not.
   */
  allowsOrigin(request: GuardedRequest): boolean {
    const origin = request.headers.get('origin');
    if (origin === null) return true;
    const { publicUrl, allowedOrigins } = this.#options;
    const { origin: ownOrigin, protocol } = publicUrl();
    if (origin === ownOrigin || allowedOrigins.includes(origin)) return true;
    const own = `${protocol}//${hostOf(request) ?? ''}`;
    return this.allowsHost(request) && URL.canParse(own) && origin === new URL(own).origin;
  }

  /** Whether the page that sent a form is this server's own. */
  isOwnPage(headers: Headers): boolean {
    const site = headers.get('sec-fetch-site');
    return (
      headers.get('origin') === this.#options.publicUrl().origin && (site === null || site === 'same-origin')
    );
  }

  /**
   * Whether a request came from this machine and nowhere else: the address it was received on, the public
   * URL and the `Host` are loopback, and nothing says that it was forwarded.
   */
  isLoopback(request: GuardedRequest): boolean {
    return request.incoming !== undefined && !this.isFromAfar(request);
  }

  /** Whether anything says that a request came from elsewhere: its connection, its headers, or what it addresses. */
  isFromAfar(request: GuardedRequest): boolean {
    const { headers, incoming } = request;
    return (
      (incoming !== undefined && !isLocalConnection(incoming)) ||
      !isLoopbackHost(this.#options.publicUrl().hostname) ||
      !isLoopbackHost(hostnameOf(hostOf(request) ?? '') ?? '') ||
      forwardingHeaderOf(headers) !== undefined ||
      isOverHttp10(incoming)
    );
  }
}

/**
 * The host that a request addresses: what its target says (RFC 9112 section 3.2.2) or `:authority` (RFC 9113 section
 * 8.3.1), and its `Host` header. `undefined` where these name different hosts. What a framework makes of it counts
 * only where the request brings no header.
 */
export function hostOf({ url, headers, incoming }: GuardedRequest): string | undefined {
  const host = headers.get('host');
  const requested = incoming && requestedHostOf(incoming);
  if (requested !== undefined && host !== null && hostnameOf(requested) !== hostnameOf(host))
    return undefined;
  return host ?? requested ?? (URL.canParse(url) ? new URL(url).host : undefined);
}

function requestedHostOf(incoming: IncomingMessage): string | undefined {
  const { ':authority': authority } = incoming.headers;
  if (typeof authority === 'string') return authority;
  return /^https?:\/\/([^/?#]*)/i.exec(targetOf(incoming))?.[1];
}

/** Whether both ends of a connection are on this machine. Behind a Unix socket there is usually a proxy. */
function isLocalConnection({ socket }: IncomingMessage): boolean {
  return isLoopbackHost(socket.localAddress ?? '') && isLoopbackHost(socket.remoteAddress ?? '');
}
