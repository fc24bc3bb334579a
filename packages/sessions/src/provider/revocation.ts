import type * as oidc from 'openid-client';
import { AuthorError } from '../errors.js';
import { ProviderError, printable } from '../session/provider-failures.js';
import type { Revocation } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import { guardedSignal } from '../time/guarded-signal.js';
import type { TokenSet } from '../vault/token-set.js';
import type { FailureReporter } from './failure-reporter.js';
import type { ProviderConnection } from './provider-connection.js';
import { type FailurePlace, placeOf } from './provider-failure.js';
import type { ProviderSettings } from './provider-settings.js';
import { type RevocationCall, type RevokedToken, revocationRequest } from './revocation-request.js';
import { metadataOf } from './server-metadata.js';
import { saysDead, type TokenAnswer } from './token-answer-table.js';
import { answerOf, TokenEndpointError } from './token-answers.js';

const TIMEOUT_MS = 5000;
const MAX_TRIES = 3;
const MAX_CLASS_LENGTH = 64;

/**
 * What a provider answers to the revocation of one token.
 *
 * - `confirmed`: the token is revoked (RFC 7009 section 2.2).
 * - `dead`: it was invalid before, as providers say that do not answer with 200 then.
 * - `unsupported_type`: the provider does not revoke this type of token (RFC 7009 section 2.2.1).
 */
type Answer = 'confirmed' | 'dead' | 'unsupported_type' | 'unconfirmed';

/** What a revocation runs on. */
interface RevocationRuntime {
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** Logs errors of the signal of the configured `revoke`. */
  readonly onError: (error: unknown) => void;
  readonly failures: Pick<FailureReporter, 'errorOf' | 'report'>;
}

/**
 * Revokes the tokens of one provider: with the configured `revoke`, or at the revocation endpoint (RFC 7009), as
 * `revocationRequest` says.
 */
export class TokenRevocation {
  readonly #settings: ProviderSettings;
  readonly #connection: ProviderConnection;
  readonly #runtime: RevocationRuntime;

  constructor(settings: ProviderSettings, connection: ProviderConnection, runtime: RevocationRuntime) {
    this.#settings = settings;
    this.#connection = connection;
    this.#runtime = runtime;
  }

  /** Revokes tokens that no account has, if that leaves the other logins of the user alone. As `revoke` otherwise. */
  async revokeUnused(tokens: TokenSet): Promise<Revocation> {
    return this.#settings.revocation === 'token' ? this.revoke(tokens) : 'unsupported';
  }

  /** Revokes a token set, the refresh token first. Never rejects; each request has 5 seconds. */
  async revoke(tokens: TokenSet): Promise<Revocation> {
    const { revoke, revocation, revocationRequest: given } = this.#settings;
    if (revocation === 'none') return 'unsupported';
    if (revoke) return this.#revokeByHook(revoke, tokens);
    let isReported = false;
    // Both tokens are revoked at one endpoint, and mostly fail for one reason.
    const report = (error: unknown, place: Omit<FailurePlace, 'provider'>) => {
      const { failures } = this.#runtime;
      if (!isReported) failures.report(failures.errorOf(error, place));
      isReported = true;
    };
    try {
      const configuration = await this.#connection.configured();
      if (!metadataOf(configuration).revocation_endpoint) return 'unsupported';
      const accessToken = tokens.accessToken.reveal();
      const refreshToken = tokens.refreshToken?.reveal();
      const send = (token: string, hint: RevokedToken['hint']) =>
        this.#revokeOne(configuration, { token, hint, accessToken }, report);
      const which = given?.tokens ?? 'both';
      if (which === 'refresh' && refreshToken === undefined) return 'unsupported';
      const ofRefresh =
        which === 'access' || refreshToken === undefined
          ? undefined
          : await send(refreshToken, 'refresh_token');
      const ofAccess = which === 'refresh' ? undefined : await send(accessToken, 'access_token');
      // A dead access token, alone or in the Authorization header, says nothing of the refresh token.
      const dead = which === 'access' ? ofAccess : given?.authentication === 'bearer' && ofRefresh;
      if (refreshToken !== undefined && dead === 'dead') return 'unconfirmed';
      return revocationOf(ofRefresh, ofAccess);
    } catch (error) {
      report(error, { step: 'revocation' });
      return 'unconfirmed';
    }
  }

  async #revokeByHook(
    revoke: NonNullable<ProviderSettings['revoke']>,
    { accessToken, refreshToken }: TokenSet,
  ): Promise<Revocation> {
    const deadline = new AbortController();
    const timeout = new DOMException('The revocation took too long.', 'TimeoutError');
    const cancel = this.#runtime.clock.after(TIMEOUT_MS, () => deadline.abort(timeout));
    const expired = new Promise<never>((_resolve, reject) => {
      deadline.signal.addEventListener('abort', () => reject(timeout), { once: true });
    });
    const { signal, release } = guardedSignal([deadline.signal], (error) =>
      this.#runtime.onError(
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
      const { name: provider } = this.#settings;
      const code = deadline.signal.aborted ? timeout.name : printable(classOf(error), MAX_CLASS_LENGTH);
      const failure = {
        provider,
        step: 'revocation',
        reason: 'revoke_failed',
        outcome: 'lost',
        code,
      } as const;
      this.#runtime.failures.report(new ProviderError(failure));
      return 'unconfirmed';
    } finally {
      cancel();
      release();
    }
  }

  /** Repeats a request that had no answer, or that of an outage. Reports why a token may still be valid. */
  async #revokeOne(
    configuration: oidc.Configuration,
    token: RevokedToken,
    report: (cause: unknown, place: Omit<FailurePlace, 'provider'>) => void,
  ): Promise<Answer> {
    let cause: unknown;
    for (let tries = 1; tries <= MAX_TRIES; tries++) {
      const request = await revocationRequest(this.#settings, configuration, token);
      const answer = await this.#send(request).catch((error: unknown) => {
        cause = error;
      });
      if (!answer) continue;
      const meaning = meaningOf(answer);
      const isKnown = meaning !== 'unconfirmed' && meaning !== 'outage';
      if (isKnown && (meaning !== 'unsupported_type' || token.hint === 'access_token')) return meaning;
      const outcome = meaning === 'outage' ? 'unavailable' : 'refused';
      const isPage = answer.isHtml && { reason: 'html_answer' as const };
      cause = new TokenEndpointError(outcome, 'not a revocation', undefined, { ...answer, ...isPage });
      if (meaning !== 'outage') break;
    }
    report(cause, { ...placeOf('revocation', configuration), secrets: [token.token, token.accessToken] });
    return 'unconfirmed';
  }

  async #send({ url, init }: RevocationCall): Promise<TokenAnswer> {
    const { clock, fetch } = this.#runtime;
    const timeout = new AbortController();
    const cancel = clock.after(TIMEOUT_MS, () =>
      timeout.abort(new DOMException('The provider did not respond in time.', 'TimeoutError')),
    );
    try {
      // The timeout includes the body.
      return await answerOf(await fetch(url, { ...init, signal: timeout.signal }));
    } finally {
      cancel();
    }
  }
}

function meaningOf(answer: TokenAnswer): Answer | 'outage' {
  const { status, isHtml, error, body } = answer;
  if (status === 429 || status >= 500 || isHtml) return 'outage';
  if (saysDead(answer)) return 'dead';
  if (error === 'unsupported_token_type') return 'unsupported_type';
  // Slack reports errors with 200.
  const isRefused = error !== undefined || (typeof body === 'object' && body.ok === false);
  return status < 300 && !isRefused ? 'confirmed' : 'unconfirmed';
}

/** @param ofRefresh `undefined`: no such token was sent */
function revocationOf(ofRefresh: Answer | undefined, ofAccess: Answer | undefined): Revocation {
  const isEnded = (answer: Answer | undefined) => answer === 'confirmed' || answer === 'dead';
  const isRefreshDead = ofRefresh === undefined || isEnded(ofRefresh);
  // The access tokens of a refresh token end with it, or soon after (RFC 7009 section 2.1).
  const isAccessDead =
    ofAccess === undefined || isEnded(ofAccess) || (ofAccess === 'unsupported_type' && isEnded(ofRefresh));
  return isRefreshDead && isAccessDead ? 'confirmed' : 'unconfirmed';
}

/** What the log may contain of an error of the author's: its texts can contain a token. */
function classOf(error: unknown): string {
  return error instanceof Error ? error.constructor.name : typeof error;
}
