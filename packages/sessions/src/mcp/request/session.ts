import type { Accounts } from '../../account/accounts.js';
import type { SessionFetch } from '../../account/session-fetch.js';
import { withoutToken } from '../../account/without-token.js';
import type { SessionError } from '../../errors.js';
import type { SessionSnapshot } from '../../session/session-record.js';
import { handled } from '../../time/promises.js';
import type { Secret } from '../../vault/secret.js';

/** Options for a call in the name of the session's user. */
export interface SessionCallOptions<ProviderName extends string = string> {
  /** Whose account, if the session can have several. Default: the first configured provider's. */
  readonly provider?: ProviderName;
}

/**
 * The session of the current request, for tools. It does not expose tokens, except through `withAccessToken`. After a
 * sign-out its methods reject, also if a tool has kept the object. The rejection of a call without `await` does not end
 * the process.
 */
export interface Session<ProviderName extends string = string> {
  /**
   * `fetch` in the name of the logged-in user: adds the access token, refreshed if necessary, to requests to the
   * configured API origins. A redirect to another origin is followed with a GET without the token, the headers and the
   * body.
   * @throws SessionError `login_required`, `reauthentication_required`, `provider_unavailable`, `origin_not_allowed`,
   * `signed_out`
   */
  fetch(url: string | URL, init?: RequestInit, options?: SessionCallOptions<ProviderName>): Promise<Response>;
  /**
   * Calls `use` with a fresh access token, for what `fetch` cannot do. Do not keep the token: it is refreshed and
   * revoked independently of this call.
   * @throws SessionError as `fetch`; also throws the errors of `use`, or a TypeError in place of an error that contains
   * the token
   */
  withAccessToken<T>(
    use: (accessToken: string) => Promise<T>,
    options?: SessionCallOptions<ProviderName>,
  ): Promise<T>;
}

/** The session of a request that names none that could be used: it refuses, and says why. */
export function refusingSession(reason: SessionError): Session {
  const refuse = () => handled(Promise.reject(reason));
  return { fetch: refuse, withAccessToken: refuse };
}

/** A session that somebody may be logged in to. */
export class LiveSession implements Session {
  readonly #snapshot: SessionSnapshot;
  readonly #accounts: Accounts;
  readonly #fetch: SessionFetch;
  readonly #defaultProvider: string;

  constructor(snapshot: SessionSnapshot, accounts: Accounts, fetch: SessionFetch, defaultProvider: string) {
    this.#snapshot = snapshot;
    this.#accounts = accounts;
    this.#fetch = fetch;
    this.#defaultProvider = defaultProvider;
  }

  fetch(url: string | URL, init: RequestInit = {}, options: SessionCallOptions = {}): Promise<Response> {
    const provider = options.provider ?? this.#defaultProvider;
    return handled(this.#fetch(this.#snapshot, provider, url, init));
  }

  withAccessToken<T>(use: (accessToken: string) => Promise<T>, options: SessionCallOptions = {}): Promise<T> {
    return handled(this.#useToken(use, options.provider ?? this.#defaultProvider));
  }

  async #useToken<T>(use: (accessToken: string) => Promise<T>, provider: string): Promise<T> {
    const { accessToken } = await this.#accounts.accessToken(this.#snapshot, provider);
    const text = takeText(accessToken);
    try {
      return await use(text);
    } catch (error) {
      throw withoutToken(error, text);
    }
  }
}

function takeText(secret: Secret): string {
  try {
    return secret.reveal();
  } finally {
    secret.wipe();
  }
}
