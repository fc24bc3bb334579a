import type { GrantedTokens } from '../../account/refresh/granted-tokens.js';
import type { AuthorizationDifferences } from '../../provider/authorization-request.js';
import type { Provider } from '../../provider/provider.js';
import { type RandomSource, randomToken } from '../../vault/random.js';
import { Secret } from '../../vault/secret.js';
import { digestOf } from '../../vault/secret-digest.js';
import type { AttemptChanges } from '../attempt-changes.js';
import type { PendingAttempt, SealedTransaction } from '../attempt-record.js';
import { type AttemptSecrets, wipeChecks } from '../attempt-secrets.js';
import type { InitiatorVerifier } from '../initiator-verifier.js';
import type { AuthorizationPurpose } from '../login-attempt.js';

// Each authorization server has a redirect URI of its own, so that a response of one is never accepted as a response of
// another (mix-up, RFC 9700 section 4.4). No path is below another, because some servers accept every path below a
// registered one.

/** The path of the default provider's redirect URI. The default provider is the first one. */
export const DEFAULT_CALLBACK_PATH = '/callback';

/** The path of the redirect URI for `access.signIn`: the authorization server that issues the clients' tokens. */
export const SIGN_IN_CALLBACK_PATH = '/login/sign-in';

/** The path of the redirect URI of a provider other than the default one. */
export function providerCallbackPath(name: string): string {
  return `/login/callback/${encodeURIComponent(name)}`;
}

export interface AuthorizationOptions {
  readonly changes: AttemptChanges;
  readonly secrets: AttemptSecrets;
  readonly initiatorVerifier: InitiatorVerifier;
  readonly providerOf: (name: string) => Provider;
  /** The name of the provider whose redirect URI is `/callback`. */
  readonly defaultProvider: string;
  readonly random: RandomSource;
  readonly publicUrl: () => URL;
}

/** Builds authorization requests and redeems the codes of their responses (RFC 6749 section 4.1). */
export class Authorization {
  readonly #options: AuthorizationOptions;

  constructor(options: AuthorizationOptions) {
    this.#options = options;
  }

  /**
   * Starts a transaction, which replaces the open one of the attempt.
   * @param cookieDigest identifies the browser
   * @returns the authorization request; `undefined` if the attempt has ended meanwhile
   * @throws as `Provider.authorizationUrl`; SessionError `store_unavailable`
   */
  async start(
    attempt: PendingAttempt,
    purpose: AuthorizationPurpose,
    cookieDigest: string,
  ): Promise<URL | undefined> {
    const { changes, secrets, random, publicUrl } = this.#options;
    const state = randomToken(random);
    const checks = {
      state: Secret.fromString(state),
      nonce: Secret.fromString(randomToken(random)),
      codeVerifier: Secret.fromString(randomToken(random)),
    };
    try {
      const provider = this.#providerFor(attempt, purpose);
      const redirectUri = new URL(`.${this.callbackPathOf(attempt, purpose)}`, publicUrl());
      const url = await provider.authorizationUrl(redirectUri, checks, differencesOf(attempt, purpose));
      const sealed = secrets.sealChecks(attempt, checks);
      const digests = { stateDigest: digestOf(state), cookieDigest };
      const transaction = { ...digests, purpose, checks: sealed };
      const changed = await changes.change(attempt.key, ({ unconfirmed }) =>
        unconfirmed ? undefined : { transaction, lastTransaction: digests },
      );
      const unused = changed ? changed.before.transaction?.checks : sealed;
      if (unused) secrets.wipe(unused);
      return changed && url;
    } finally {
      wipeChecks(checks);
    }
  }

  /**
   * Redeems the code of an authorization response, and wipes the checks of its transaction.
   * @param query the query parameters of the response
   * @throws as `Provider.exchange`
   */
  async exchange(
    attempt: PendingAttempt,
    { purpose, checks: sealed }: SealedTransaction,
    query: URLSearchParams,
  ): Promise<GrantedTokens> {
    const callback = new URL(`.${this.callbackPathOf(attempt, purpose)}`, this.#options.publicUrl());
    callback.search = query.toString();
    const { scopes } = differencesOf(attempt, purpose);
    const checks = this.#options.secrets.takeChecks(attempt, sealed);
    try {
      // Without it, the library does not read the error. It never redeems a code that comes with an error.
      if (!query.has('state') && query.has('error'))
        callback.searchParams.set('state', checks.state.reveal());
      return await this.#providerFor(attempt, purpose).exchange(callback, checks, scopes);
    } finally {
      wipeChecks(checks);
    }
  }

  /** The path of the redirect URI that a response has to come to. */
  callbackPathOf({ provider }: PendingAttempt, purpose: AuthorizationPurpose): string {
    if (purpose === 'sign-in') return SIGN_IN_CALLBACK_PATH;
    return provider === this.#options.defaultProvider
      ? DEFAULT_CALLBACK_PATH
      : providerCallbackPath(provider);
  }

  /** Revokes the tokens of a `sign-in`, which only identifies the user. */
  discard(attempt: PendingAttempt, { tokens }: GrantedTokens): void {
    void this.#providerFor(attempt, 'sign-in').discard(tokens);
  }

  #providerFor(attempt: PendingAttempt, purpose: AuthorizationPurpose): Provider {
    const { initiatorVerifier, providerOf } = this.#options;
    return purpose === 'sign-in' && initiatorVerifier.signIn
      ? initiatorVerifier.signIn
      : providerOf(attempt.provider);
  }
}

/** What a login requests besides the configured scopes is requested from the provider only. */
function differencesOf(attempt: PendingAttempt, purpose: AuthorizationPurpose): AuthorizationDifferences {
  const { scopes, claims, prompt } = attempt;
  return purpose === 'login' ? { scopes, claims, prompt: prompt === 'any' ? undefined : prompt } : {};
}
