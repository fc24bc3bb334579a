import { omitUndefined } from '../../omit-undefined.js';
import type { UnsealedAccount } from '../../session/account-tokens.js';
import type { AccountRecord, GrantNonconformance } from '../../session/session-record.js';
import type { GrantedTokens } from './granted-tokens.js';
import { tokenTimes } from './window.js';

/** An account after a refresh, but for its generation. @param fraction a random number from 0 to 1 */
export function refreshedAccount(
  current: AccountRecord,
  granted: GrantedTokens,
  fraction: number,
): UnsealedAccount {
  return {
    ...current,
    failureReason: undefined,
    failures: undefined,
    claim: undefined,
    scopes: narrowed(current.scopes, granted.scopes),
    ...tokenTimes(granted, current, current.hasRefreshToken, fraction),
    ...answeredFields(granted, current),
  };
}

/** What the response to a refresh says of the user's account at the provider; else it stays as it was. */
function answeredFields(granted: GrantedTokens, current: AccountRecord): Partial<AccountRecord> {
  const { fields, apiOrigin, providerSession } = granted;
  return omitUndefined({
    fields: fields && { ...current.fields, ...fields },
    apiOrigin,
    providerSession,
  });
}

/** Whether a refresh response names another user (OpenID Connect Core section 12.2). */
export function isOtherUser(
  { identity, openIdSubject, nonconformance }: GrantedTokens,
  account: AccountRecord,
): boolean {
  const isOther = (named: string | undefined, known: string | undefined) =>
    named !== undefined && known !== undefined && named !== known;
  return (
    nonconformance === 'issuer_changed' ||
    isOther(identity?.subject, account.subject) ||
    isOther(openIdSubject, account.openIdSubject)
  );
}

/** The scopes after a refresh, which never adds one (RFC 6749 section 6). */
function narrowed(current: readonly string[], granted: readonly string[] | undefined): readonly string[] {
  return granted?.filter((scope) => current.includes(scope)) ?? current;
}

export function nonconformancesOf(
  { nonconformance, scopes }: GrantedTokens,
  account: AccountRecord,
): GrantNonconformance[] {
  const isWider =
    account.scopes.length > 0 && scopes?.some((scope) => !account.scopes.includes(scope)) === true;
  return [...(nonconformance ? [nonconformance] : []), ...(isWider ? (['scope_widened'] as const) : [])];
}
