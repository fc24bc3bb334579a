import type { IncomingMessage } from 'node:http';
import { WELL_KNOWN } from '../access/protected-resource.js';

/** The path of the MCP endpoint, below the public URL. */
export const MCP_PATH = '/mcp';
/** The path of health checks. As middleware, the server leaves this path to the author's app. */
export const HEALTH_PATH = '/healthz';
/** The path at which a load balancer asks whether this process can serve requests now. Treated like the other one. */
export const READY_PATH = '/readyz';

/** A request of Express or Connect: they keep the whole target in `originalUrl` and strip the mount path from `url`. */
type MountedMessage = IncomingMessage & { readonly originalUrl?: string };

/**
 * The path of the public URL, below which all routes are. A proxy, or a router in this process, may have stripped it
 * from a request.
 */
export class BasePath {
  readonly #base: string;

  /** @param base without a trailing slash; empty if the public URL has no path */
  constructor(base: string) {
    this.#base = base;
  }

  /** Without a trailing slash; empty if the public URL has no path. */
  get path(): string {
    return this.#base;
  }

  /**
   * The path of a request, relative to the base, as routes are registered.
   * @param path as the router reads it from the URL
   */
  routeOf(path: string, incoming: IncomingMessage | undefined): string {
    return this.within(wholePathOf(incoming) ?? path) ?? this.within(path) ?? path;
  }

  /**
   * A path relative to the base; `undefined` if it is not below the base. A well-known path precedes the path of its
   * resource or issuer (RFC 8414 section 3.1, RFC 9728 section 3.1), and some clients request it at the root.
   */
  within(path: string): string | undefined {
    if (path === this.#base) return '/';
    if (path.startsWith(`${this.#base}/`)) return path.slice(this.#base.length);
    const document = Object.values(WELL_KNOWN).find((each) => path === each || path.startsWith(`${each}/`));
    if (document === undefined || path === document) return document;
    const about = path.slice(document.length);
    return about.startsWith(`${this.#base}/`) ? document + about.slice(this.#base.length) : undefined;
  }

  /** The path at which a router in this process has mounted this server; `undefined` if it is the base or unknown. */
  wrongMountOf(request: Request, incoming: IncomingMessage | undefined): string | undefined {
    const whole = wholePathOf(incoming);
    const { pathname } = new URL(request.url);
    if (whole === undefined || whole === pathname || !whole.endsWith(pathname)) return undefined;
    const mount = whole.slice(0, -pathname.length);
    // Routers ignore letter case.
    return mount.toLowerCase() === this.#base.toLowerCase() ? undefined : mount;
  }
}

/** The requested path, including the part that a router has stripped. */
export function wholePathOf(incoming: IncomingMessage | undefined): string | undefined {
  return incoming && pathOf(targetOf(incoming));
}

/** The target of a request as its client sent it (RFC 9112 section 3.2). */
export function targetOf({ originalUrl, url }: MountedMessage): string {
  return originalUrl ?? url ?? '';
}

/** The path in a request target of origin form or absolute form (RFC 9112 section 3.2), normalized as in a URL. */
export function pathOf(target: string): string {
  const url = `http://localhost${target.replace(/^https?:\/\/[^/?]*/i, '')}`;
  return URL.canParse(url) ? new URL(url).pathname : '';
}
