import type { AccountStatus } from '../../account/account-status.js';
import type { PendingLogin } from '../../login/pending-login.js';
import { loginEnded } from '../../session/account-errors.js';
import { type AccountFailureReason, hasHandle, type SessionRecord } from '../../session/session-record.js';
import { callAgain, presentCode } from './login/login-texts.js';

/**
 * The next step that `session_status` tells the model.
 * @param pendingLogins the pending logins of the session
 */
export function nextStep(
  record: SessionRecord,
  accounts: readonly AccountStatus[],
  pendingLogins: readonly PendingLogin[],
  providers: readonly string[],
): string {
  const expired = accounts.find(({ state }) => state === 'reauthentication_required');
  if (expired)
    return `${whyExpired(expired)} Call \`login\` with provider "${expired.provider}" to log in again.`;
  const pending = accounts.find(({ state }) => state === 'pending');
  if (pending) {
    const login = pendingLogins.find(({ provider }) => provider === pending.provider);
    return finishLogin(record, pending.provider, login, providers);
  }
  if (accounts.length === 0) {
    const before = record.signedOut ? `${loginEnded(record.signedOut)} ` : '';
    return `${before}Call \`login\` to log in${record.signedOut ? ' again' : ''}${choice(providers)}.`;
  }
  const missing = providers.filter((name) => accounts.every(({ provider }) => provider !== name));
  const more =
    missing.length > 0
      ? ` Not logged in at ${quoted(missing)}: call \`login\` with that provider if a tool requires it.`
      : '';
  return `${accounts.map(problemOf).find(Boolean) ?? NOTHING_TO_DO}${more}`;
}

const NOTHING_TO_DO = 'Nothing. The login is valid, and its tokens are refreshed automatically.';

/** @param login absent if the user has completed it and the client needs only the handle */
function finishLogin(
  record: SessionRecord,
  provider: string,
  login: PendingLogin | undefined,
  providers: readonly string[],
): string {
  const isDefault = provider === providers[0];
  const names = { hasHandle: hasHandle(record), provider: isDefault ? undefined : provider };
  if (!login) return `The user has completed the login: ${callAgain(names)} to get the session handle.`;

  if (login.needsCode) return presentCode(names);
  const { userCode, loginUrl } = login;
  const how = userCode === undefined ? 'in the browser' : `by entering the code ${userCode} at ${loginUrl}`;
  const where = isDefault ? '' : ` at "${provider}"`;
  return `A login${where} is pending. When the user has completed it ${how}, ${callAgain(names)}.`;
}

/** A problem of an account whose login is still valid. */
function problemOf(account: AccountStatus): string | undefined {
  const { provider, reason, accessTokenExpiresInSeconds: left, nextRefreshInSeconds: retry } = account;
  if (reason === 'provider_unavailable' || reason === 'provider_refused') {
    const what = reason === 'provider_unavailable' ? 'cannot be reached' : 'rejects the refresh';
    return `The login at "${provider}" is valid, but its token could not be refreshed: "${provider}" ${what}. The next try is in ${retry ?? 0} seconds. Calls may fail when the token has expired.`;
  }
  if (left !== undefined && retry === undefined) {
    return `The login at "${provider}" is valid for ${left} more seconds and cannot be refreshed. Call \`login\` after that.`;
  }
  return undefined;
}

function whyExpired({ provider, reason }: AccountStatus): string {
  return `The login at "${provider}" ${reason ? FAILURE_TEXTS[reason] : 'has ended'}.`;
}

const FAILURE_TEXTS: Readonly<Record<AccountFailureReason, string>> = {
  grant_revoked: 'has expired at the provider or was revoked',
  no_refresh_token: 'has expired and could not be refreshed',
  provider_unavailable: 'could not be refreshed: the provider cannot be reached',
  provider_refused: 'could not be refreshed: the provider rejected the refresh',
  identity_changed: 'was removed, because its refresh returned the tokens of another user',
  refresh_lost: 'was lost, because the response of the provider to a refresh did not arrive',
  tokens_unreadable: 'could not be decrypted by this server',
  token_rejected: 'is no longer accepted by the API, which rejected its renewed token, too',
  provider_logout: 'has ended, because the user logged out at the provider',
};

function choice(providers: readonly string[]): string {
  return providers.length > 1 ? `, with one of the providers ${quoted(providers)}` : '';
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
