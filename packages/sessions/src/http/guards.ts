import type { IncomingMessage } from 'node:http';
import { isLoopbackHost } from '../loopback.js';

/** Who may talk to this server. */
export interface GuardOptions {
  readonly publicUrl: () => URL;
  /** Host names, besides the public URL's, under which the server may be addressed. */
  readonly allowedHosts: readonly string[];
  /** Origins, besides the public URL's, whose pages may call it. */
  readonly allowedOrigins: readonly string[];
}

/** A request together with what Node knows of its connection, if it came through Node. */
export interface GuardedRequest {
  /** The address as requested: its host counts like the header's (RFC 9112 section 3.2.2). */
  readonly url: string;
  readonly headers: Headers;
  readonly incoming: IncomingMessage | undefined;
}

/** Headers that only something between the client and this server adds. */
const FORWARDING_HEADERS = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-real-ip',
  'x-original-host',
  'cf-connecting-ip',
  'true-client-ip',
  'ngrok-skip-browser-warning',
];

/** Protects a server on loopback from pages that reach it under a name of their own (DNS rebinding). */
export class Guards {
  readonly #options: GuardOptions;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Whether the `Host` header names this server. */
  allowsHost(request: GuardedRequest): boolean {
    // The address is made of the `Host` header, and whoever makes it does not look at everything.
    if (!URL.canParse(request.url)) return false;
    // Outside of Node a request may come without the header: its address says the same.
    const { host, hostname: requested } = new URL(request.url);
    const hostname = hostnameOf(request.headers.get('host') ?? host);
    if (hostname === undefined || hostname !== requested) return false;
    const { publicUrl, allowedHosts } = this.#options;
    if (hostname === publicUrl().hostname || allowedHosts.includes(hostname)) return true;
    const { incoming } = request;
    const isLocal = incoming ? isLocalConnection(incoming) : isLoopbackHost(publicUrl().hostname);
    return isLocal && isLoopbackHost(hostname);
  }

  /** Whether the page that sent the request, if it was one, may. */
  allowsOrigin(origin: string | null | undefined): boolean {
    if (origin === null || origin === undefined) return true;
    const { publicUrl, allowedOrigins } = this.#options;
    if (origin === publicUrl().origin || allowedOrigins.includes(origin)) return true;
    const isHere = isLoopbackHost(publicUrl().hostname);
    return isHere && URL.canParse(origin) && isLoopbackHost(new URL(origin).hostname);
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
  isFromAfar({ url, headers, incoming }: GuardedRequest): boolean {
    return (
      (incoming !== undefined && !isLocalConnection(incoming)) ||
      !isLoopbackHost(this.#options.publicUrl().hostname) ||
      !isLoopbackHost(hostnameOf(headers.get('host') ?? new URL(url).host) ?? '') ||
      FORWARDING_HEADERS.some((name) => headers.has(name))
    );
  }
}

function isLocalConnection({ socket }: IncomingMessage): boolean {
  return isLoopbackHost(socket.localAddress ?? '') && isLoopbackHost(socket.remoteAddress ?? '');
}

function hostnameOf(host: string | null): string | undefined {
  return host !== null && URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : undefined;
}
