import type { AccountStatus } from '../../account/account-status.js';
import type { PendingLogin } from '../../login/pending-login.js';
import { loginEnded } from '../../session/account-errors.js';
import { type AccountFailureReason, hasHandle, type SessionRecord } from '../../session/session-record.js';
import { callAgain, presentCode } from './login/login-texts.js';

/**
 * What `session_status` says to do now.
 * @param underWay the logins that the session has under way
 */
export function nextStep(
  record: SessionRecord,
  accounts: readonly AccountStatus[],
  underWay: readonly PendingLogin[],
  providers: readonly string[],
): string {
  const dead = accounts.find(({ state }) => state === 'reauthentication_required');
  if (dead) return `${whyDead(dead)} Call \`login\` with provider "${dead.provider}" to renew it.`;
  const pending = accounts.find(({ state }) => state === 'pending');
  if (pending) {
    const login = underWay.find(({ provider }) => provider === pending.provider);
    return finishLogin(record, pending.provider, login, providers);
  }
  if (accounts.length === 0) {
    const before = record.signedOut ? `${loginEnded(record.signedOut)} ` : '';
    return `${before}Call \`login\` to log in${record.signedOut ? ' again' : ''}${choice(providers)}.`;
  }
  const missing = providers.filter((name) => accounts.every(({ provider }) => provider !== name));
  const more =
    missing.length > 0
      ? ` Not logged in at ${quoted(missing)}: call \`login\` with that provider for what needs it.`
      : '';
  return `${accounts.map(outlook).find(Boolean) ?? ALL_GOOD}${more}`;
}

const ALL_GOOD = 'Nothing: the login is good, and its tokens are renewed by themselves.';

/** @param login absent where its user has finished it, and only the handle is missing */
function finishLogin(
  record: SessionRecord,
  provider: string,
  login: PendingLogin | undefined,
  providers: readonly string[],
): string {
  const isDefault = provider === providers[0];
  const names = { hasHandle: hasHandle(record), provider: isDefault ? undefined : provider };
  if (!login) return `The user has finished the login: ${callAgain(names)} to get the session handle.`;

  if (login.needsCode) return presentCode(names);
  const { userCode, loginUrl } = login;
  const how = userCode === undefined ? 'in the browser' : `by typing in the code ${userCode} at ${loginUrl}`;
  const where = isDefault ? '' : ` at "${provider}"`;
  return `A login${where} is under way. When the user has finished it ${how}, ${callAgain(names)}.`;
}

/** What is not as it should be with a login that is good all the same. */
function outlook(account: AccountStatus): string | undefined {
  const { provider, reason, accessTokenExpiresInSeconds: left, nextRefreshInSeconds: retry } = account;
  if (reason === 'provider_unavailable' || reason === 'provider_refused') {
    const what = reason === 'provider_unavailable' ? 'could not be reached' : 'refused';
    return `The login at "${provider}" is good, but "${provider}" ${what} when its token was to be renewed. That is tried again in ${retry ?? 0} seconds; until it works, calls may fail once the token has run out.`;
  }
  if (left !== undefined && retry === undefined) {
    return `The login at "${provider}" is good for ${left} seconds; it cannot be renewed, so call \`login\` after that.`;
  }
  return undefined;
}

function whyDead({ provider, reason }: AccountStatus): string {
  return `The login at "${provider}" ${reason ? TROUBLE_TEXTS[reason] : 'is over'}.`;
}

const TROUBLE_TEXTS: Readonly<Record<AccountFailureReason, string>> = {
  grant_revoked: 'has expired there or was revoked',
  no_refresh_token: 'has run out, and could not be renewed',
  provider_unavailable: 'could not be renewed: the provider cannot be reached',
  provider_refused: 'could not be renewed: the provider refuses',
  identity_changed: 'came back as somebody else’s, and was dropped',
  refresh_lost: 'was lost when the provider’s answer to its renewal did not arrive',
  tokens_unreadable: 'was damaged here',
};

function choice(providers: readonly string[]): string {
  return providers.length > 1 ? `, with one of the providers ${quoted(providers)}` : '';
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
