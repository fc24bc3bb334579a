import type { CallToolResult } from '@modelcontextprotocol/server';
import type { LoginFault } from '../../../login/login-attempt.js';
import type { PendingLogin } from '../../../login/pending-login.js';
import { omitUndefined } from '../../../omit-undefined.js';
import { shortTextOf, tellOperator } from '../../../session/provider-failures.js';
import { errorResult, structuredResult } from '../tool-result.js';
import type { LoginAnswer, LoginCall } from './login-call.js';

/** The message of the elicitation. */
export function invitation({ providerName, userCode }: PendingLogin): string {
  return userCode === undefined
    ? `Log in to ${providerName} in your browser.`
    : `Log in to ${providerName}: type in the code ${userCode} on its page. Only if you asked for this login yourself.`;
}

/** The message of the progress notifications. */
export function waitingFor({ providerName, userCode }: PendingLogin): string {
  return userCode === undefined
    ? `Waiting for the user to log in to ${providerName} in the browser.`
    : `Waiting for the user to type in the code ${userCode} at ${providerName}, and to approve the login.`;
}

/** The result of `login`. */
export function loginResult(call: LoginCall, answer: LoginAnswer, defaultProvider: string): CallToolResult {
  switch (answer.kind) {
    case 'authenticated':
      return authenticatedResult(answer);
    case 'pending':
      return pendingResult(call, answer, defaultProvider);
    case 'wrong_code':
      return wrongCodeResult(answer.login);
    case 'failed':
      return failedResult(answer, call, defaultProvider);
  }
}

/** The next step for the model while a login is pending. */
export function nextWhilePending(
  call: LoginCall,
  { login: { needsCode, userCode, isNew, isRenewal }, refusal }: PendingAnswer,
  defaultProvider: string,
): string {
  const provider = call.provider === defaultProvider ? undefined : call.provider;
  const names = { hasHandle: call.handle !== undefined, provider, scopes: call.scopes };
  if (needsCode) return presentCode(names, isRenewal);
  const step = isNew ? firstStep(userCode) : stillOpen(userCode, restartWith(names, isRenewal));
  const toDo = `${refusal ? afterRefusal(refusal, userCode) : step} When they have logged in, ${callAgain({ ...names, without: startsAnother(call) })}.`;
  return call.isShortLived ? `${SHORT_LIVED} ${toDo}` : toDo;
}

/** The arguments with which a repeated call would start another login. */
function startsAnother({ renew, isRestart = false }: LoginCall): readonly string[] {
  return [...(renew ? ['renew'] : []), ...(isRestart ? ['restart'] : [])];
}

type PendingAnswer = Extract<LoginAnswer, { kind: 'pending' }>;

const SHORT_LIVED =
  'This client usually opens a new connection for every call, and a login ends with its connection. Tell the user to configure the client to keep its connection open, or to use another client. If it keeps the connection open:';

/** The result while the login is pending. */
function pendingResult(call: LoginCall, pending: PendingAnswer, defaultProvider: string): CallToolResult {
  const { expiresInSeconds, needsCode, loginUrl, userCode } = pending.login;
  return structuredResult(
    omitUndefined({
      status: needsCode ? 'confirmation_required' : 'pending',
      loginUrl: needsCode ? undefined : loginUrl,
      userCode: needsCode ? undefined : userCode,
      expiresInSeconds,
      session: call.handle,
      next: nextWhilePending(call, pending, defaultProvider),
    }),
  );
}

function firstStep(userCode: string | undefined): string {
  return userCode === undefined
    ? 'Show loginUrl to the user and ask them to open it.'
    : 'Show loginUrl and userCode to the user. Ask them to open loginUrl in a browser, on any device, to type in userCode there, and to approve.';
}

/**
 * The text after a refusal by the client. Some clients refuse without asking their user, so it repeats the link of the
 * same login.
 */
function afterRefusal(refusal: 'decline' | 'cancel', userCode: string | undefined): string {
  const answered =
    refusal === 'decline'
      ? 'The client answered that the user declined. Some clients do so without asking the user.'
      : 'The client closed the question whether to open the link, or could not show it.';
  const show =
    userCode === undefined
      ? 'Show loginUrl to the user, and say: "If no question was shown, open this link."'
      : 'Show loginUrl and userCode to the user, and say: "If no question was shown, open this link and type in this code."';
  return `${answered} ${show} If they did decline, do not call \`login\` again until they ask to log in.`;
}

function stillOpen(userCode: string | undefined, restart: string): string {
  const [what, works, one] =
    userCode === undefined
      ? ['loginUrl', 'It works', 'link']
      : ['loginUrl and userCode', 'Both work', 'code'];
  return `The user has not completed the login yet. Show them ${what} again if they need it. ${works} also after an error of the provider. If the error comes again, or they want a new ${one}, ${restart}.`;
}

/** The result of a failed login. */
function failedResult(
  fault: Extract<LoginAnswer, { kind: 'failed' }>,
  call: Pick<LoginCall, 'provider' | 'renew'>,
  defaultProvider: string,
): CallToolResult {
  return errorResult(failedLogin(fault, call, defaultProvider));
}

/**
 * Why a login failed, and what to do. Names a provider that is not the default, because the next call must name it again.
 */
export function failedLogin(
  { keepsLogin, ...fault }: LoginFault,
  call: Pick<LoginCall, 'provider' | 'renew'>,
  defaultProvider: string | undefined,
): string {
  const where =
    call.provider === defaultProvider ? '' : ` This was a login with provider "${call.provider}".`;
  const before = keepsLogin ? ` ${loginKept(call)}` : '';
  return `${failureText(fault, keepsLogin)}${where}${before}`;
}

/** What to do if a login has failed, and the one before it is still valid. The next `login` would only say so. */
export function loginKept({ provider, renew }: Pick<LoginCall, 'provider' | 'renew'>): string {
  const again = `call \`login\` with provider "${provider}" and renew: true`;
  // This call may only have asked how a renewal goes on.
  const next = renew
    ? `To try again, ${again}.`
    : `If a call required this login, repeat that call to request it again. Otherwise, to try again, ${again}.`;
  return `The login before it is still valid. ${next}`;
}

/** The result for a wrong code. */
function wrongCodeResult(pending: PendingLogin | undefined): CallToolResult {
  if (pending?.needsCode)
    return errorResult(
      'This is not the code that the browser shows. Ask the user to read it again, and call `login` with it.',
    );
  return errorResult(
    pending?.userCode === undefined
      ? 'No login is waiting for a code here. Call `login` without `code`.'
      : 'This login takes no `code`: the user types userCode in at loginUrl. Call `login` without `code` to check whether they have.',
  );
}

/** The result of a completed login. */
function authenticatedResult({ account, handle, isAtRisk }: AuthenticatedAnswer): CallToolResult {
  const { provider, subject, name } = account;
  const who = name ?? subject;
  const next = handle
    ? `Logged in as ${who}. Pass this \`session\` in every further call of any tool.`
    : `Logged in as ${who}. Continue with the task that required the login.`;
  return structuredResult(
    omitUndefined({
      status: 'authenticated',
      session: handle,
      account: omitUndefined({ provider, subject, name }),
      next: isAtRisk ? `${next} ${atRisk(account)}` : next,
    }),
  );
}

type AuthenticatedAnswer = Extract<LoginAnswer, { kind: 'authenticated' }>;

function atRisk({ provider, failureReason }: AuthenticatedAnswer['account']): string {
  const again = `call \`login\` with provider "${provider}" and renew: true`;
  return failureReason === 'token_rejected'
    ? `An API rejected the access token, and the renewed one, too. If the task fails again, ${again}.`
    : `The provider does not renew the access token at the moment. To log in again now, ${again}.`;
}

/** Why a login failed, and what to do. */
function failureText({ failure, reason, oauthError }: LoginFault, keepsLogin = false): string {
  // Over a valid login, `login` alone starts no other one.
  const again = keepsLogin ? '' : ' Call `login` to try again.';
  const why = reason ? ` Reason: ${shortTextOf(reason, oauthError)}.` : '';
  switch (failure) {
    case 'declined':
      return reason
        ? 'The user or the provider declined the login. Ask the user before you try again. If they did not decline, the operator of this server has to allow them at the provider.'
        : 'The user declined to log in. Ask them before you try again.';
    case 'expired':
      return `The login was not completed in time.${keepsLogin ? '' : ' Call `login` to start a new one.'}`;
    case 'browser_mismatch':
      return 'The login was rejected: it was completed in another browser than the one that started it. Call `login` to start a new one.';
    case 'identity_mismatch':
      return 'The login was rejected: it was completed by another user than the one whose token this client has. None of its data was kept. Call `login` to start a new one, and ask that user to complete it.';
    case 'provider_unavailable':
      return `The identity provider could not complete the login.${why}${keepsLogin ? ' Wait a minute before you try again.' : ' Try `login` again in a minute.'} If it fails again, ${tellOperator(reason)}`;
    case 'provider_refused':
      return `The identity provider rejected the login, or its response was not valid.${why}${again} If it fails again, ${tellOperator(reason)}`;
    case 'internal_error':
      return `The login failed because of an internal error of this server.${again} If it fails again, tell the operator of this server: the log has the error.`;
    case 'wrong_code':
      return 'A wrong confirmation code was entered too often. Call `login` to start a new login.';
    case 'canceled':
      return 'The login was canceled by a call with restart: true. Call `login` to continue with the new one.';
    case 'superseded':
      return 'A newer login has replaced this one. Call `login` to continue with it.';
    case 'evicted':
      return 'The login was canceled, because too many logins are pending at this server. Try `login` again in a minute.';
    case 'signed_out':
      return 'The session was signed out before the login was completed. Call `login` to start a new one.';
  }
}

/** What a call must name to continue a login. */
export interface LoginNames {
  /** Whether the session is named by a handle. */
  readonly hasHandle: boolean;
  /** The provider; absent if it is the default. */
  readonly provider: string | undefined;
  /** The scopes that the login requests besides the usual ones. */
  readonly scopes?: readonly string[];
  /** The arguments that the next call must not repeat: they would start one more login. */
  readonly without?: readonly string[];
}

/** The instruction to continue a pending login. */
export function callAgain(names: LoginNames): string {
  const without = names.without?.map((name) => `\`${name}\``).join(' and ');
  return `${callAgainWith(namedIn(names))}${without ? `, without ${without}` : ''}`;
}

/** The instruction to start a login in place of the pending one. */
function restartWith(names: LoginNames, isRenewal: boolean): string {
  return callAgainWith([...namedIn(names), ...(isRenewal ? ['renew: true'] : []), 'restart: true']);
}

/** The instruction if the browser shows a confirmation code. */
export function presentCode(names: LoginNames, isRenewal: boolean): string {
  return `The browser shows a confirmation code. Ask the user for it and ${callAgainWith([...namedIn(names), 'the `code`'])}. If they have closed the page, the link shows the code again in the same browser. For a new link, ${restartWith(names, isRenewal)}.`;
}

function namedIn({ hasHandle, provider, scopes = [] }: LoginNames): string[] {
  return [
    ...(hasHandle ? ['this `session`'] : []),
    ...(provider === undefined ? [] : [`provider "${provider}"`]),
    ...(scopes.length > 0 ? [`scopes ${JSON.stringify(scopes)}`] : []),
  ];
}

function callAgainWith(what: readonly string[]): string {
  if (what.length === 0) return 'call `login` again';
  const [last, ...others] = what.toReversed();
  const listed = others.length > 0 ? `${others.toReversed().join(', ')} and ${last}` : last;
  return `call \`login\` again with ${listed}`;
}
