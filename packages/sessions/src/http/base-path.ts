import type { IncomingMessage } from 'node:http';
import { getPath } from 'hono/utils/url';
import { WELL_KNOWN } from '../access/well-known.js';

/** Where a process is asked whether it is healthy. Beside an app of the author's, that is the app's to answer. */
export const HEALTH_PATH = '/healthz';

/** Express and Connect keep the whole target here when they strip from `url` the path that a handler is mounted at. */
type MountedMessage = IncomingMessage & { readonly originalUrl?: string };

/**
 * The path of the public URL, below which all routes are. A proxy, or a router in this process, may strip it before a
 * request comes here.
 */
export class BasePath {
  readonly #base: string;

  /** @param base without a trailing slash; empty where the public URL has no path */
  constructor(base: string) {
    this.#base = base;
  }

  /** The path of a request as the routes name it. */
  routeOf(request: Request, incoming: IncomingMessage | undefined): string {
    const path = getPath(request);
    return this.within(wholePathOf(incoming) ?? path) ?? this.within(path) ?? path;
  }

  /**
   * The path below the base; `undefined` if it is not below. Well-known paths stand before that of what they
   * are about, not below (RFC 8414 section 3.1, RFC 9728 section 3.1), and clients that do not insert it look at the root.
   */
  within(path: string): string | undefined {
    if (path === this.#base) return '/';
    if (path.startsWith(`${this.#base}/`)) return path.slice(this.#base.length);
    const document = Object.values(WELL_KNOWN).find((each) => path === each || path.startsWith(`${each}/`));
    if (document === undefined || path === document) return document;
    const about = path.slice(document.length);
    return about.startsWith(`${this.#base}/`) ? document + about.slice(this.#base.length) : undefined;
  }

  /** The path at which a router in this process has mounted this server, if that is not the base. */
  wrongMountOf(request: Request, incoming: IncomingMessage | undefined): string | undefined {
    const whole = wholePathOf(incoming);
    const { pathname } = new URL(request.url);
    if (whole === undefined || whole === pathname || !whole.endsWith(pathname)) return undefined;
    const mount = whole.slice(0, -pathname.length);
    // Routers do not look at the case of letters.
    return mount.toLowerCase() === this.#base.toLowerCase() ? undefined : mount;
  }
}

/** The path that was requested, whatever routers have stripped of it since. */
export function wholePathOf(incoming: IncomingMessage | undefined): string | undefined {
  return incoming && pathOf(targetOf(incoming));
}

/** The target of a request as its client sent it (RFC 9112 section 3.2). */
export function targetOf({ originalUrl, url }: MountedMessage): string {
  return originalUrl ?? url ?? '';
}

/** The path in a request target of origin form or absolute form (RFC 9112 section 3.2), as URLs are written. */
export function pathOf(target: string): string {
  const url = `http://localhost${target.replace(/^https?:\/\/[^/?]*/i, '')}`;
  return URL.canParse(url) ? new URL(url).pathname : '';
}
