import { SessionError } from '../errors.js';
import type { SessionSnapshot } from '../session/session-record.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Accounts } from './accounts.js';
import { linkedSignal } from './linked-signal.js';
import { type FollowedResponse, followRedirects, isReplayable } from './redirects.js';
import type { TokenRefresher } from './refresh/refresher.js';
import { withoutToken } from './without-token.js';

/** `fetch` with the access token of one session's account. */
export type SessionFetch = (
  snapshot: SessionSnapshot,
  provider: string,
  url: string | URL,
  init: RequestInit,
) => Promise<Response>;

export interface SessionFetchOptions {
  readonly accounts: Accounts;
  readonly refresher: TokenRefresher;
  readonly registry: SessionRegistry;
  /** The origins to which the access tokens of a provider may be sent, by the provider's name. */
  readonly apiOrigins: ReadonlyMap<string, readonly string[]>;
  readonly fetch: typeof fetch;
}

/**
 * Creates the `fetch` of a session, which adds the access token to requests. The token is sent only to the configured
 * origins, over https except on loopback. A redirect to another origin is followed without the token, the headers and
 * the body. A 401 whose challenge names the token as the cause (RFC 6750 section 3.1), or names no cause, refreshes the
 * token once and repeats the call if its body can be sent again.
 */
export function createSessionFetch(options: SessionFetchOptions): SessionFetch {
  const refused = new RefusedGenerations();

  return async (snapshot, provider, url, init) => {
    const target = new URL(url);
    if (!options.apiOrigins.get(provider)?.includes(target.origin)) {
      throw new SessionError(
        'origin_not_allowed',
        `No token of "${provider}" is sent to ${target.origin}: it is not one of its configured API origins.`,
      );
    }
    const signal = options.registry.signalOf(snapshot.ref);
    // One of its own for every call: thousands of them listening to the session's signal would be a leak.
    const bounded = { ...init, signal: linkedSignal(...(init.signal ? [init.signal, signal] : [signal])) };
    const call = async () => {
      const { accessToken, generation } = await unlessAborted(
        options.accounts.accessToken(snapshot, provider),
        bounded.signal,
        (late) => late.accessToken.wipe(),
      );
      const secret = accessToken.reveal();
      try {
        const followed = await followRedirects(options.fetch, target, bounded, `Bearer ${secret}`);
        return { ...followed, generation };
      } catch (error) {
        throw withoutToken(error, secret);
      } finally {
        accessToken.wipe();
      }
    };
    const first = await call();
    const mayHelp = !refused.has(signal, provider, first.generation);
    if (!mayHelp || !blamesToken(first) || !isReplayable(init.body)) return first.response;
    const renewing = options.refresher.replaceRefused(snapshot.ref, provider, first.generation);
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
    if (blamesToken(second)) refused.add(signal, provider, second.generation);
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

function blamesToken({ response, hasLeft }: FollowedResponse): boolean {
  // After a redirect to another origin the token was not sent, so the 401 does not concern it.
  if (response.status !== 401 || hasLeft) return false;
  const challenge = response.headers.get('www-authenticate') ?? '';
  return !/\berror\s*=/i.test(challenge) || /\berror\s*=\s*"?invalid_token\b/i.test(challenge);
}
