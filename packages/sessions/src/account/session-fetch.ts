import { SessionError } from '../errors.js';
import { isLoopbackHost } from '../loopback.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Accounts, SessionLease } from './accounts.js';
import type { Refreshes } from './refreshes.js';

/** `fetch` with the access token of one session's account. */
export type SessionFetch = (
  lease: SessionLease,
  provider: string,
  url: string | URL,
  init: RequestInit,
) => Promise<Response>;

export interface SessionFetchOptions {
  readonly accounts: Accounts;
  readonly refreshes: Refreshes;
  readonly registry: SessionRegistry;
  /** Where access tokens may go. */
  readonly apiOrigins: readonly string[];
  /** Where those of a provider may go that has a list of its own. */
  readonly providerOrigins?: ReadonlyMap<string, readonly string[]>;
  readonly fetch: typeof fetch;
}

const MAX_REDIRECTS = 5;
/** What is said of a body goes with it. */
const BODY_HEADERS = ['content-encoding', 'content-language', 'content-location', 'content-type'];
/** What a request shows of its sender does not leave its origin. */
const OWN_HEADERS = ['authorization', 'cookie', 'proxy-authorization'];

/**
 * Makes the `fetch` that adds access tokens. They go only to the configured origins, over https except on
 * loopback, and never across origins on a redirect. A 401 that blames the token (RFC 6750 section 3.1), or
 * nothing in particular, renews it once and repeats the call, if its body can be sent again.
 */
export function createSessionFetch(options: SessionFetchOptions): SessionFetch {
  const common = originSet(options.apiOrigins);
  const ofProvider = new Map(
    [...(options.providerOrigins ?? [])].map(([name, origins]) => [name, originSet(origins)]),
  );
  const refused = new RefusedGenerations();

  return async (lease, provider, url, init) => {
    const target = new URL(url);
    if (!(ofProvider.get(provider) ?? common).has(target.origin)) {
      throw new SessionError(
        'origin_not_allowed',
        `No token of "${provider}" is sent to ${target.origin}: it is not one of its configured API origins.`,
      );
    }
    const signal = options.registry.signalOf(lease.ref);
    // One of its own for every call: thousands of them listening to the session's signal would be a leak.
    const bounded = { ...init, signal: AbortSignal.any(init.signal ? [init.signal, signal] : [signal]) };
    const call = async () => {
      const { accessToken, generation } = await unlessAborted(
        options.accounts.accessToken(lease, provider),
        bounded.signal,
        (late) => late.accessToken.wipe(),
      );
      try {
        const response = await follow(options.fetch, target, bounded, `Bearer ${accessToken.reveal()}`);
        return { response, generation };
      } finally {
        accessToken.wipe();
      }
    };
    const first = await call();
    const mayHelp = !refused.has(signal, provider, first.generation);
    if (!mayHelp || !blamesToken(first.response) || !isReplayable(init.body)) return first.response;
    const renewing = options.refreshes.replaceRefused(lease.ref, provider, first.generation);
    const isRenewed = await unlessAborted(renewing, bounded.signal).then(
      () => true,
      (error: unknown) => {
        if (isPassing(error)) return false;
        throw error;
      },
    );
    // The provider cannot say now; what the API said is all there is to know.
    if (!isRenewed) return first.response;
    await first.response.body?.cancel();
    const second = await call();
    if (blamesToken(second.response)) refused.add(signal, provider, second.generation);
    return second.response;
  };
}

/** Waits for work that goes on whatever happens, but no longer than somebody wants its result. */
async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  discard: (late: T) => void = () => undefined,
): Promise<T> {
  let giveUp: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    giveUp = () => {
      work.then(discard, () => undefined);
      reject(signal.reason);
    };
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

function isPassing(error: unknown): boolean {
  return (
    error instanceof SessionError &&
    (error.code === 'provider_unavailable' || error.code === 'provider_refused')
  );
}

/**
 * Token sets that an API refused although they had just been renewed for it: renewing them once more would
 * not help. Kept as long as nobody signs out.
 */
class RefusedGenerations {
  readonly #generations = new WeakMap<AbortSignal, Map<string, number>>();

  add(session: AbortSignal, provider: string, generation: number): void {
    const ofSession = this.#generations.get(session) ?? new Map<string, number>();
    this.#generations.set(session, ofSession.set(provider, generation));
  }

  has(session: AbortSignal, provider: string, generation: number): boolean {
    return this.#generations.get(session)?.get(provider) === generation;
  }
}

function originSet(origins: readonly string[]): ReadonlySet<string> {
  return new Set(origins.map(apiOrigin));
}

/** Checks a configured API origin. @throws SessionError `configuration` */
function apiOrigin(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (!url || !isSecure(url)) {
    throw new SessionError(
      'configuration',
      `"${value}" cannot be an API origin: give https://host[:port]; http is for loopback only.`,
    );
  }
  return url.origin;
}

function isSecure(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname));
}

async function follow(
  fetch: typeof globalThis.fetch,
  start: URL,
  init: RequestInit,
  authorization: string,
): Promise<Response> {
  let url = start;
  let request = init;
  let isHome = true;
  for (let redirects = 0; ; redirects++) {
    const headers = new Headers(request.headers);
    // Once it has left its origin, whoever it went to chooses where it goes next.
    isHome &&= url.origin === start.origin;
    if (isHome) headers.set('authorization', authorization);
    else for (const name of OWN_HEADERS) headers.delete(name);
    const response = await fetch(url, { ...request, headers, redirect: 'manual' });
    const location = response.headers.get('location');
    if (!isRedirect(response.status) || !location || init.redirect === 'manual') return response;
    if (init.redirect === 'error')
      throw new TypeError('The API redirects, and the caller allows no redirect.');
    if (redirects === MAX_REDIRECTS || !isReplayable(request.body)) return response;
    await response.body?.cancel();
    url = new URL(location, url);
    request = redirected(request, response.status);
  }
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** The request after a redirect: a 303, and a POST's 301 or 302, turn it into a GET (Fetch standard, 4.4). */
function redirected(request: RequestInit, status: number): RequestInit {
  const method = request.method?.toUpperCase() ?? 'GET';
  const becomesGet =
    status === 303 ? method !== 'GET' && method !== 'HEAD' : status < 303 && method === 'POST';
  if (!becomesGet) return request;
  const headers = new Headers(request.headers);
  for (const name of BODY_HEADERS) headers.delete(name);
  const { body: _dropped, ...rest } = request;
  return { ...rest, method: 'GET', headers };
}

function blamesToken(response: Response): boolean {
  if (response.status !== 401) return false;
  const challenge = response.headers.get('www-authenticate') ?? '';
  return !/\berror\s*=/i.test(challenge) || /\berror\s*=\s*"?invalid_token\b/i.test(challenge);
}

function isReplayable(body: RequestInit['body']): boolean {
  return !(body instanceof ReadableStream) && !isAsyncIterable(body);
}

function isAsyncIterable(body: unknown): boolean {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body && !(body instanceof Blob);
}
