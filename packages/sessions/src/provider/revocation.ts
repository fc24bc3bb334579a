import * as oidc from 'openid-client';
import { AuthorError } from '../errors.js';
import type { Revocation } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import { guardedSignal } from '../time/guarded-signal.js';
import type { Secret } from '../vault/secret.js';
import type { TokenSet } from '../vault/token-set.js';
import { type ProviderConnection, REVOCATION_TIMEOUT_MS } from './provider-connection.js';
import { failureOf } from './provider-failure.js';
import type { ProviderSettings } from './provider-settings.js';

const MAX_REVOCATION_TRIES = 3;

/** What a revocation runs on. */
interface RevocationRuntime {
  readonly clock: Clock;
  /** Logs errors of the configured `revoke`. */
  readonly onError: (error: unknown) => void;
}

/** Revokes the tokens of one provider: with the configured `revoke`, or at the revocation endpoint (RFC 7009). */
export class TokenRevocation {
  readonly #settings: ProviderSettings;
  readonly #connection: ProviderConnection;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;

  constructor(
    settings: ProviderSettings,
    connection: ProviderConnection,
    { clock, onError }: RevocationRuntime,
  ) {
    this.#settings = settings;
    this.#connection = connection;
    this.#clock = clock;
    this.#onError = onError;
  }

  /** Revokes a token set, the refresh token first. Never rejects; each request has 5 seconds. */
  async revoke(tokens: TokenSet): Promise<Revocation> {
    if (this.#settings.revoke) return this.#revokeByHook(this.#settings.revoke, tokens);
    try {
      const configuration = await this.#connection.configured();
      if (!configuration.serverMetadata().revocation_endpoint) return 'unsupported';
      const { refreshToken, accessToken } = tokens;
      const isRefreshDead =
        !refreshToken || (await this.#revokeOne(configuration, refreshToken, 'refresh_token'));
      const isAccessDead = await this.#revokeOne(configuration, accessToken, 'access_token');
      return isRefreshDead && isAccessDead ? 'confirmed' : 'unconfirmed';
    } catch {
      return 'unconfirmed';
    }
  }

  async #revokeByHook(
    revoke: NonNullable<ProviderSettings['revoke']>,
    { accessToken, refreshToken }: TokenSet,
  ): Promise<Revocation> {
    const deadline = new AbortController();
    const timeout = new DOMException('The revocation took too long.', 'TimeoutError');
    const cancel = this.#clock.after(REVOCATION_TIMEOUT_MS, () => deadline.abort(timeout));
    const expired = new Promise<never>((_resolve, reject) => {
      deadline.signal.addEventListener('abort', () => reject(timeout), { once: true });
    });
    const { signal, release } = guardedSignal(deadline.signal, (error) =>
      this.#onError(
        new AuthorError(
          `A listener of the signal of \`revoke\` of "${this.#settings.name}" failed: ${classOf(error)}.`,
        ),
      ),
    );
    try {
      const texts = { accessToken: accessToken.reveal(), refreshToken: refreshToken?.reveal() };
      await Promise.race([revoke(texts, signal), expired]);
      return 'confirmed';
    } catch (error) {
      const reason = deadline.signal.aborted ? 'it took too long' : classOf(error);
      this.#onError(
        new AuthorError(`\`revoke\` of the provider "${this.#settings.name}" failed: ${reason}.`),
      );
      return 'unconfirmed';
    } finally {
      cancel();
      release();
    }
  }

  /** @returns whether the provider confirmed the revocation */
  async #revokeOne(configuration: oidc.Configuration, token: Secret, hint: string): Promise<boolean> {
    for (let tries = 1; tries <= MAX_REVOCATION_TRIES; tries++) {
      try {
        await oidc.tokenRevocation(configuration, token.reveal(), { token_type_hint: hint });
        return true;
      } catch (error) {
        const { outcome } = failureOf(error, { provider: this.#settings.name, step: 'revocation' });
        if (outcome === 'refused') return false;
      }
    }
    return false;
  }
}

/** What the log may contain of an error of the author's: its texts can contain a token. */
function classOf(error: unknown): string {
  return error instanceof Error ? error.constructor.name : typeof error;
}
