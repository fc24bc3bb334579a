import { SessionError, signedOut } from '../errors.js';
import type { SessionSnapshot } from '../session/session-record.js';
import type { SessionRegistry } from '../session/session-registry.js';
import { linkedSignal } from '../time/linked-signal.js';
import { useSecret } from '../vault/secret.js';
import type { Accounts } from './accounts.js';
import { demandOf } from './challenge.js';
import { type FollowedResponse, followRedirects, isReplayable } from './redirects.js';
import type { TokenRefresher } from './refresh/refresher.js';
import type { TokenRejections } from './token-rejection.js';

/** The token sets that a request was given last: their generations, by provider. */
export type GivenTokens = Map<string, number>;

/** In whose name a request is sent. */
interface SessionCaller {
  readonly snapshot: SessionSnapshot;
  /**
   * The preferred provider; absent, or if the URL is not among its API origins: the first provider with that API
   * origin.
   */
  readonly preferred: string | undefined;
  /** Notes the token sets that are used. */
  readonly given: GivenTokens;
}

/** `fetch` with the access token of one session's account. */
export type SessionFetch = (caller: SessionCaller, ...request: Parameters<typeof fetch>) => Promise<Response>;

export interface SessionFetchOptions {
  readonly accounts: Accounts;
  readonly refresher: TokenRefresher;
  readonly registry: SessionRegistry;
  readonly rejections: TokenRejections;
  /** The origins to which the access tokens of a provider may be sent, by the provider's name. */
  readonly apiOrigins: ReadonlyMap<string, readonly string[]>;
  readonly fetch: typeof fetch;
}

/**
 * Creates the `fetch` of a session, which adds the access token to requests. The token is sent only to the configured
 * origins, over https except on loopback. A redirect to another origin is followed without the token, the headers and
 * the body. A 401 whose challenge names the token as the cause (RFC 6750 section 3.1), or names no cause, refreshes the
 * token once and repeats the call if its body can be sent again. A response that demands more scopes or claims than the
 * login has leads to another login.
 */
export function createSessionFetch(options: SessionFetchOptions): SessionFetch {
  const origins = new Map([...options.apiOrigins].map(([name, urls]) => [name, new Set(urls)]));

  return async ({ snapshot, preferred, given: tokens }, input, optional) => {
    // `fetch` accepts null, too.
    const given = optional ?? {};
    const url = urlOf(input);
    const names = preferredFirst(origins.keys(), preferred);
    const provider =
      names.find((name) => origins.get(name)?.has(url.origin)) ??
      (await ownOriginOf(options, snapshot, names, url.origin));
    const init = input instanceof Request ? await initOf(input, given) : given;
    const signal = options.registry.signalOf(snapshot);
    // The session's signal is that of all its calls. Each has a signal of its own, so that listeners do not pile up.
    const linked = linkedSignal(...(init.signal ? [init.signal, signal] : [signal]));
    const call = async () => {
      const pending = options.accounts.accessToken(snapshot, provider);
      const { accessToken, generation, hasAnsweredClaims } = await unlessAborted(pending, linked, (late) =>
        late.accessToken.wipe(),
      );
      tokens.set(provider, generation);
      const request = { ...init, signal: linked };
      const followed = await useSecret(accessToken, (token) =>
        followRedirects(options.fetch, url, request, `Bearer ${token}`),
      );
      return { ...followed, generation, hasAnsweredClaims };
    };
    const { rejections } = options;
    const answer = async ({ response, leftOrigin, hasAnsweredClaims }: AnsweredCall) => {
      const demand = leftOrigin ? undefined : demandOf(response);
      const isAccepted = hasAnsweredClaims && !leftOrigin && response.ok;
      if (isAccepted) await rejections.accepted(snapshot, provider).catch(() => undefined);
      if (!demand) return response;
      const error = await rejections.demand(snapshot, provider, demand, url.origin).catch((e: unknown) => e);
      if (error === undefined) return response;
      await response.body?.cancel();
      throw error;
    };
    const first = await call();
    if (!isTokenRejected(first) || !isReplayable(init.body)) return answer(first);
    if (await rejections.isNoted(snapshot, provider, first.generation)) return answer(first);
    const renewing = options.refresher.replaceRefused(snapshot.ref, provider, first.generation);
    const isRenewed = await unlessAborted(renewing, linked).then(
      () => true,
      (error: unknown) => {
        if (isTemporary(error)) return false;
        throw error;
      },
    );
    if (!isRenewed) return first.response;
    await first.response.body?.cancel();
    const second = await call();
    if (isTokenRejected(second))
      await rejections.rejectedAgain(snapshot, provider, second.generation).catch(() => undefined);
    return answer(second);
  };
}

interface AnsweredCall extends FollowedResponse {
  readonly hasAnsweredClaims: boolean;
}

function preferredFirst(names: Iterable<string>, preferred: string | undefined): string[] {
  const others = [...names].filter((name) => name !== preferred);
  return preferred === undefined ? others : [preferred, ...others];
}

/**
 * The first provider whose account has an API at the origin, as `apiOriginField` says.
 * @throws SessionError `origin_not_allowed` if there is none, `signed_out`
 */
async function ownOriginOf(
  { registry }: SessionFetchOptions,
  { ref, epoch }: SessionSnapshot,
  names: readonly string[],
  origin: string,
): Promise<string> {
  const record = await registry.get(ref);
  if (record?.epoch !== epoch) throw signedOut();
  const provider = names.find((name) => record.accounts[name]?.apiOrigin === origin);
  if (provider !== undefined) return provider;
  throw new SessionError(
    'origin_not_allowed',
    `No access token is sent to ${origin}: it is not among the \`apiOrigins\` of a provider. Ask the operator to add it.`,
  );
}

/** @throws TypeError that does not quote the URL, which can contain secrets */
function urlOf(input: string | URL | Request): URL {
  const address = input instanceof Request ? input.url : input;
  if (URL.canParse(address)) return new URL(address);
  throw new TypeError('The URL of the call is not valid. Give an absolute URL.');
}

/** The parts of a Request, with its body in memory so that it can be sent again. */
async function initOf(input: Request, init: RequestInit): Promise<RequestInit> {
  const request = requestOf(input, init);
  const body = request.body === null ? null : await request.arrayBuffer();
  const { method, headers, redirect, signal } = request;
  return { ...init, method, headers, body, redirect, signal };
}

/** @throws TypeError that does not quote a header */
function requestOf(input: Request, init: RequestInit): Request {
  try {
    return new Request(input, init);
  } catch {
    throw new TypeError('The request cannot be sent: its body is used, or `init` does not fit it.');
  }
}

/**
 * Waits for a result until the signal aborts. The work itself continues.
 * @param discard called with a result that comes after the abort
 */
async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  discard: (late: T) => void = () => undefined,
): Promise<T> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => {
      work.then(discard, () => undefined);
      reject(signal.reason);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    const result = await Promise.race([work, aborted]);
    // An abort right after the result has discarded it.
    signal.throwIfAborted();
    return result;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function isTemporary(error: unknown): boolean {
  return (
    error instanceof SessionError &&
    (error.code === 'provider_unavailable' || error.code === 'provider_refused')
  );
}

function isTokenRejected({ response, leftOrigin }: FollowedResponse): boolean {
  // After a redirect to another origin the token was not sent, so the 401 does not concern it.
  if (response.status !== 401 || leftOrigin) return false;
  const challenge = response.headers.get('www-authenticate') ?? '';
  return !/\berror\s*=/i.test(challenge) || /\berror\s*=\s*"?invalid_token\b/i.test(challenge);
}
