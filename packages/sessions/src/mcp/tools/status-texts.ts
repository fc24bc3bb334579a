import type { AccountStatus } from '../../account/account-status.js';
import type { LoginFault } from '../../login/login-attempt.js';
import type { PendingLogin } from '../../login/pending-login.js';
import { loginEnded } from '../../session/account-errors.js';
import { type AccountFailureReason, hasHandle, type SessionRecord } from '../../session/session-record.js';
import { callAgain, failedLogin, presentCode } from './login/login-texts.js';

/** The logins of a session that have not succeeded. */
export interface SessionLogins {
  readonly pending: readonly PendingLogin[];
  /** Those that the client does not know of yet. */
  readonly failed: readonly { readonly provider: string; readonly fault: LoginFault }[];
}

/** What `session_status` tells the model: which logins have failed, and the next step. */
export function nextStep(
  record: SessionRecord,
  accounts: readonly AccountStatus[],
  logins: SessionLogins,
  providers: readonly string[],
): string {
  const failures = logins.failed.map(({ provider, fault }) => {
    const keepsLogin = accounts.some((each) => each.provider === provider && each.state === 'authenticated');
    return failedLogin({ ...fault, keepsLogin }, { provider, renew: false }, providers[0]);
  });
  const step = firstStep(record, accounts, logins.pending, providers);
  if (step !== undefined) return [...failures, step].join(' ');
  if (accounts.length === 0) return failures.join(' ') || callLoginAt(record, providers);
  const missing = providers.filter((name) => accounts.every(({ provider }) => provider !== name));
  const more =
    missing.length > 0
      ? ` Not logged in at ${quoted(missing)}: call \`login\` with that provider if a tool requires it.`
      : '';
  return `${[...failures, ...accounts.flatMap(problemsOf)].join(' ') || nothingToDo(accounts)}${more}`;
}

/** The next step if a login is pending, or has ended or expired. */
function firstStep(
  record: SessionRecord,
  accounts: readonly AccountStatus[],
  pendingLogins: readonly PendingLogin[],
  providers: readonly string[],
): string | undefined {
  const ended = accounts.find(({ state }) => state === 'reauthentication_required');
  if (ended) return `${whyEnded(ended)} ${callLogin(ended)} to log in again.`;
  const pending = accounts.find(({ state }) => state === 'pending') ?? pendingLogins.at(0);
  if (pending) {
    const login = pendingLogins.find(({ provider }) => provider === pending.provider);
    return finishLogin(record, pending.provider, login, providers);
  }
  const expired = accounts.find(({ state }) => state === 'expired');
  return expired && afterExpiry(expired);
}

/** The next step without a login. */
function callLoginAt({ signedOut }: SessionRecord, providers: readonly string[]): string {
  const before = signedOut ? `${loginEnded(signedOut)} ` : '';
  return `${before}Call \`login\` to log in${signedOut ? ' again' : ''}${choice(providers)}.`;
}

function nothingToDo(accounts: readonly AccountStatus[]): string {
  // Tokens without an end, such as those of GitHub, have no refresh token.
  const areRefreshed = accounts.every(({ nextRefreshInSeconds: refresh }) => refresh !== undefined);
  return `Nothing. The login is valid${areRefreshed ? ', and its tokens are refreshed automatically' : ''}.`;
}

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

  if (login.needsCode) return presentCode(names, login.isRenewal);
  const { userCode, loginUrl } = login;
  const how = userCode === undefined ? 'in the browser' : `by entering the code ${userCode} at ${loginUrl}`;
  const where = isDefault ? '' : ` at "${provider}"`;
  return `A login${where} is pending. When the user has completed it ${how}, ${callAgain(names)}.`;
}

/** The next step if the access token has expired, and the login is kept. */
function afterExpiry(account: AccountStatus): string {
  const { provider, reason, nextRefreshInSeconds: retry } = account;
  if (retry === undefined || reason === undefined)
    return `The login at "${provider}" has expired. ${callLogin(account)} to log in again.`;
  if (reason === 'token_rejected')
    return `The login at "${provider}" ${FAILURE_TEXTS[reason]}. ${callLogin(account)} to log in again.`;
  return `The access token at "${provider}" has expired, and the provider ${whatFailed(reason)}. The next try is in ${retry} seconds. ${callLogin(account)} to log in again now; the current login is kept until that succeeds.`;
}

/** What is wrong or missing at an account whose access token is valid. */
function problemsOf(account: AccountStatus): string[] {
  const { provider, reason, accessTokenExpiresInSeconds: left, nextRefreshInSeconds: retry } = account;
  const { requiresStepUp, requiredScopes, refusedScopes } = account;
  const problems: string[] = [];
  if (requiresStepUp) {
    const what = requiredScopes ? `the scopes ${JSON.stringify(requiredScopes)}` : 'a stronger login';
    problems.push(`An API requires ${what} at "${provider}". ${callLogin(account)}.`);
  }
  if (reason === 'token_rejected') {
    problems.push(
      `An API rejected the access token of the login at "${provider}", and the renewed one, too. Other calls may work. If they do not, ${callLogin(account, 'call')} and renew: true to log in again.`,
    );
  } else if (reason !== undefined && retry !== undefined) {
    const until = left === undefined ? '' : ` The access token is valid for ${left} more seconds.`;
    problems.push(
      `The login at "${provider}" could not be refreshed: the provider ${whatFailed(reason)}. The next try is in ${retry} seconds.${until} ${callLogin(account)} and renew: true to log in again now.`,
    );
  } else if (left !== undefined && retry === undefined) {
    problems.push(
      `The login at "${provider}" is valid for ${left} more seconds and cannot be refreshed. Call \`login\` after that.`,
    );
  }
  if (refusedScopes) {
    problems.push(
      `The user or the provider did not grant ${JSON.stringify(refusedScopes)} at "${provider}". ${callLogin(account)} and renew: true to ask again, if a tool needs them.`,
    );
  }
  return problems;
}

function whatFailed(reason: AccountFailureReason): string {
  return reason === 'provider_unavailable' ? 'is not available' : 'rejected the refresh';
}

function callLogin({ provider }: AccountStatus, verb: 'Call' | 'call' = 'Call'): string {
  return `${verb} \`login\` with provider "${provider}"`;
}

function whyEnded({ provider, reason }: AccountStatus): string {
  return `The login at "${provider}" ${reason ? FAILURE_TEXTS[reason] : 'has ended'}.`;
}

const FAILURE_TEXTS: Readonly<Record<AccountFailureReason, string>> = {
  grant_revoked: 'has expired at the provider or was revoked',
  no_refresh_token: 'has expired and could not be refreshed',
  provider_unavailable: 'could not be refreshed: the provider is not available',
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
