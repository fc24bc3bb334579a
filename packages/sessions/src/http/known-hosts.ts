import { isLoopbackHost } from '../secure-url.js';
import { hostnameOf } from './allow-lists.js';

/** The maximum number of remembered hosts. A client may send any. */
export const MAX_KNOWN_HOSTS = 64;
/** The maximum length of a remembered host: that of a domain name (RFC 1035 section 2.3.4), and a port. */
export const MAX_KNOWN_HOST_CHARACTERS = 261;

/** What a host is, as a request names it. */
export interface KnownHost {
  /** Without port, in lower case; `undefined` if the host is not valid. */
  readonly hostname: string | undefined;
  readonly isLoopback: boolean;
  /** Whether it is that of the public URL, or listed by the operator. */
  readonly isOwn: boolean;
}

/** What the hosts of requests are. Remembers the last ones, because parsing a host takes longer than all other guards. */
export class KnownHosts {
  readonly #allowedHosts: readonly string[];
  readonly #known = new Map<string, KnownHost>();
  #publicUrl: URL | undefined;

  constructor(allowedHosts: readonly string[]) {
    this.#allowedHosts = allowedHosts;
  }

  /** @param publicUrl the URL of the server, which may become known later */
  get(host: string, publicUrl: URL): KnownHost {
    if (publicUrl !== this.#publicUrl) this.#known.clear();
    this.#publicUrl = publicUrl;
    const known = this.#known.get(host);
    if (known) return known;
    const hostname = hostnameOf(host);
    const isOwn =
      hostname !== undefined &&
      (hostname === hostnameOf(publicUrl.host) || this.#allowedHosts.includes(hostname));
    const found = { hostname, isOwn, isLoopback: isLoopbackHost(hostname ?? '') };
    if (host.length > MAX_KNOWN_HOST_CHARACTERS) return found;
    if (this.#known.size >= MAX_KNOWN_HOSTS) this.#known.clear();
    this.#known.set(host, found);
    return found;
  }

  /** The number of remembered hosts. */
  get size(): number {
    return this.#known.size;
  }
}
