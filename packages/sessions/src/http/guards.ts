import type { IncomingMessage } from 'node:http';
import type { RequestOrigin } from '../access/access.js';
import { isLoopbackHost } from '../secure-url.js';
import { hostnameOf } from './allow-lists.js';
import { targetOf } from './base-path.js';
import { forwardingHeaderOf, isOverHttp10 } from './forwarding.js';
import { type KnownHost, KnownHosts } from './known-hosts.js';
import type { RequestHeaders } from './request-headers.js';

/** The hosts and origins that a server accepts. */
export interface GuardOptions {
  readonly publicUrl: () => URL;
  /** Accepted host names, besides that of the public URL. */
  readonly allowedHosts: readonly string[];
  /** Accepted origins, besides that of the public URL. */
  readonly allowedOrigins: readonly string[];
}

/** The parts of a request that the guards read. `incoming` is absent without Node's HTTP server. */
export interface GuardedRequest {
  /** The URL of the request. Some frameworks write a fixed host into it. */
  readonly url: string;
  readonly headers: RequestHeaders;
  readonly incoming: IncomingMessage | undefined;
}

/**
 * Checks the host and origin of requests, and where they come from. Protects a server on loopback from DNS rebinding.
 */
export class Guards {
  readonly #options: GuardOptions;
  readonly #hosts: KnownHosts;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#hosts = new KnownHosts(options.allowedHosts);
  }

  /** Whether the host of a request is accepted. */
  allowsHost(request: GuardedRequest): boolean {
    const { hostname, isOwn, isLoopback } = this.#hostOf(request);
    if (hostname === undefined) return false;
    if (isOwn) return true;
    const { incoming } = request;
    const isLocal = incoming
      ? isLocalConnection(incoming)
      : isLoopbackHost(this.#options.publicUrl().hostname);
    return isLocal && isLoopback;
  }

  /**
   * Whether the origin of a request is accepted. Requests without an origin are accepted, as are those of this server's
   * own pages, under each accepted host name. A page of another port has another origin.
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

  /** Whether a form comes from a page of this server. */
  isOwnPage(headers: RequestHeaders): boolean {
    const site = headers.get('sec-fetch-site');
    return (
      headers.get('origin') === this.#options.publicUrl().origin && (site === null || site === 'same-origin')
    );
  }

  /** Where a request comes from, by its connection, its headers, its host and the public URL. */
  requestOrigin(request: GuardedRequest): RequestOrigin {
    if (this.#isRemote(request)) return 'remote';
    return request.incoming ? 'local' : 'unknown';
  }

  #isRemote(request: GuardedRequest): boolean {
    const { headers, incoming } = request;
    return (
      (incoming !== undefined && !isLocalConnection(incoming)) ||
      !isLoopbackHost(this.#options.publicUrl().hostname) ||
      !this.#hostOf(request).isLoopback ||
      forwardingHeaderOf(headers) !== undefined ||
      isOverHttp10(incoming)
    );
  }

  #hostOf(request: GuardedRequest): KnownHost {
    return this.#hosts.get(hostOf(request) ?? '', this.#options.publicUrl());
  }
}

/**
 * The host of a request, from its target (RFC 9112 section 3.2.2) or `:authority` (RFC 9113 section 8.3.1), and its
 * `Host` header; `undefined` if these differ. Without any of them, the host in `url`.
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

/** Whether both ends of a connection are loopback addresses. A Unix socket is not local, because proxies use them. */
function isLocalConnection({ socket }: IncomingMessage): boolean {
  return isLoopbackHost(socket.localAddress ?? '') && isLoopbackHost(socket.remoteAddress ?? '');
}
