import { accountHealth } from '../session/account-health.js';
import type { LoginFailure } from '../session/session-events.js';
import type { AccountRecord, SessionRecord, SessionSnapshot } from '../session/session-record.js';
import type { SessionChange } from '../session/session-records.js';
import { kindOfClaims } from './challenge.js';

/** A login that has failed, and what it requested. */
export interface RefusedLogin {
  readonly snapshot: SessionSnapshot;
  readonly provider: string;
  readonly scopes: readonly string[];
  readonly claims?: string | undefined;
  /** Whether its user was sent to the provider. */
  readonly wasAtProvider: boolean;
}

/**
 * The failures after which a login over a valid one does not request the same again. A provider may show an error on a
 * page of its own, so that the login expires, or the client cancels it.
 */
const REFUSALS: ReadonlySet<LoginFailure> = new Set([
  'declined',
  'expired',
  'canceled',
  'provider_unavailable',
  'provider_refused',
  'internal_error',
]);

/**
 * Whether a failed login is not repeated as it was: the demand of an API that it answered is dropped, and the next login
 * requests no more than the configured scopes.
 */
export function isRefusal(failure: LoginFailure, wasAtProvider: boolean): boolean {
  const isOfProvider = failure !== 'expired' && failure !== 'canceled';
  return REFUSALS.has(failure) && (isOfProvider || wasAtProvider);
}

/**
 * Drops the demands that a failed login over a valid one requested: the provider could refuse each further login, too. An
 * API that still demands them does so again.
 */
export function dropRefused(login: RefusedLogin, failure: LoginFailure): SessionChange {
  return (record) => {
    const { snapshot, provider, scopes, claims, wasAtProvider } = login;
    const account = record.accounts[provider];
    if (record.epoch !== snapshot.epoch || account?.state !== 'authenticated') return undefined;
    const { stepUp, refusal } = account;
    // A user who declines may be asked for less. What is refused then, too, may be the question itself.
    const next = failure === 'declined' && !refusal ? 'declined' : 'failed';
    const changed: AccountRecord = {
      ...account,
      stepUp: stepUp && rest(stepUp, scopes, claims),
      refusal: wasAtProvider || failure !== 'declined' ? next : refusal,
    };
    return { accounts: { ...record.accounts, [provider]: changed } };
  };
}

function rest(
  { scopes = [], claims }: NonNullable<AccountRecord['stepUp']>,
  requestedScopes: readonly string[],
  requestedClaims: string | undefined,
): AccountRecord['stepUp'] {
  const others = scopes.filter((scope) => !requestedScopes.includes(scope));
  const wasRequested =
    claims !== undefined &&
    requestedClaims !== undefined &&
    kindOfClaims(claims) === kindOfClaims(requestedClaims);
  const otherClaims = wasRequested ? undefined : claims;
  if (others.length === 0 && otherClaims === undefined) return undefined;
  return {
    ...(others.length > 0 && { scopes: others }),
    ...(otherClaims !== undefined && { claims: otherClaims }),
  };
}

/** Whether a session has a login at a provider whose tokens can be used or renewed. */
export function hasValidLogin(record: SessionRecord, provider: string, nowMs: number): boolean {
  const account = record.accounts[provider];
  return account?.state === 'authenticated' && accountHealth(account, nowMs) !== 'expired';
}
