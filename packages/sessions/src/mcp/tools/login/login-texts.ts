import type { CallToolResult } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { PendingLogin } from '../../../login/pending-login.js';
import { omitUndefined } from '../../../omit-undefined.js';
import type { LoginFailure } from '../../../session/session-events.js';
import type { AccountRecord } from '../../../session/session-record.js';
import { errorResult, structuredResult } from '../tool-result.js';
import type { LoginAnswer, LoginCall } from './login-call.js';

/** The arguments of `login`. */
export interface LoginArguments {
  readonly provider?: string | undefined;
  readonly code?: string | undefined;
  readonly flow?: 'link' | 'device' | undefined;
  readonly link?: boolean | undefined;
  readonly scopes?: readonly string[] | undefined;
}

/** A provider, as far as the arguments of `login` depend on it. */
export interface LoginChoice {
  readonly name: string;
  /** Whether users may choose a code instead of a link. */
  readonly hasChoiceOfFlow: boolean;
}

/** The arguments of `login` on a server with these providers, the first of which is the default. */
export function loginInputSchema(
  providers: readonly LoginChoice[],
  requiredScopes: readonly string[],
): z.ZodType<LoginArguments> {
  const [first] = providers;
  const names = providers.map(({ name }) => name);
  const choice =
    names.length > 1
      ? `One of ${names.join(', ')}. Default: ${first?.name}.`
      : `There is only ${first?.name}.`;
  const schema = z.object({
    provider: z.string().max(100).optional().describe(`Which provider to log in to. ${choice}`),
    code: z
      .string()
      .max(100)
      .optional()
      .describe('The confirmation code that the browser showed after the login, if it showed one.'),
    link: z
      .boolean()
      .optional()
      .describe(
        'true: return the link for you to show to the user, without a question by the client. Use it if `login` failed in the client, or if the user saw no question. Default: false.',
      ),
  });
  const withCodes = providers.filter(({ hasChoiceOfFlow }) => hasChoiceOfFlow).map(({ name }) => name);
  const where = withCodes.length < names.length ? ` Only at ${withCodes.join(', ')}.` : '';
  const flow = z
    .enum(['link', 'device'])
    .optional()
    .describe(
      `How the user logs in. link (default): by a link. device: by a short code that they enter on the provider's own page, on any device. Use it if the link cannot be opened or does not load in their browser.${where}`,
    );
  const scopes = z
    .array(z.enum(requiredScopes))
    .max(requiredScopes.length)
    .optional()
    .describe('Scopes to request besides the usual ones. Pass them if the error of another tool names them.');
  // zod does not know the types of properties that are added conditionally.
  return schema.extend({
    ...(requiredScopes.length > 0 && { scopes }),
    ...(withCodes.length > 0 && { flow }),
  }) as z.ZodType<LoginArguments>;
}

const outputSchema = z.object({
  status: z.enum(['pending', 'confirmation_required', 'authenticated']),
  loginUrl: z.string().optional().describe('Show it to the user, who opens it in a browser.'),
  expiresInSeconds: z.number().optional(),
  account: z
    .object({ provider: z.string(), subject: z.string(), name: z.string().optional() })
    .optional()
    .describe('Who is logged in.'),
  next: z.string().describe('What to do now.'),
});
const handleSchema = z
  .string()
  .optional()
  .describe('The session handle. Pass it as `session` in every further call.');

const userCodeSchema = z
  .string()
  .optional()
  .describe('Show it to the user, who types it in at loginUrl. It is not the argument `code`.');

/** The configuration that the texts of `login` depend on. */
export interface LoginTextsOptions {
  /** Whether sessions are named by handles. */
  readonly hasHandles: boolean;
  /** Whether users may log in with a code on the page of the provider (device flow). */
  readonly hasDeviceFlow: boolean;
}

/** The output schema of `login`. */
export function loginOutputSchema({ hasHandles, hasDeviceFlow }: LoginTextsOptions): z.ZodType {
  return outputSchema.extend({
    ...(hasDeviceFlow && { userCode: userCodeSchema }),
    ...(hasHandles && { session: handleSchema }),
  });
}

/** The description of `login` in `tools/list`. */
export function descriptionOf(hasDeviceFlow: boolean): string {
  const what = hasDeviceFlow ? 'a link, or a link and a code to type in there,' : 'a link';
  return `Logs the user in, so that the other tools can work in their name. Gives ${what} for the user to open in a browser; call \`login\` again when they have done so. Calling it again is always safe. If a call fails in the client, or the user saw no question and no link, call it with \`link: true\`.`;
}

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
      return authenticatedResult(answer.account, answer.handle);
    case 'pending':
      return pendingResult(call, answer, defaultProvider);
    case 'wrong_code':
      return wrongCodeResult(answer.login);
    case 'failed':
      return failedResult(answer.failure, call, defaultProvider);
  }
}

/** The next step for the model while a login is pending. */
export function nextWhilePending(
  call: LoginCall,
  { login: { needsCode, userCode, isNew }, refusal }: PendingAnswer,
  defaultProvider: string,
): string {
  const provider = call.provider === defaultProvider ? undefined : call.provider;
  const names = { hasHandle: call.handle !== undefined, provider, scopes: call.scopes };
  if (needsCode) return presentCode(names);
  const step = isNew ? firstStep(userCode) : stillOpen(userCode);
  const toDo = `${refusal ? afterRefusal(refusal, userCode) : step} When they have logged in, ${callAgain(names)}.`;
  return call.isShortLived ? `${SHORT_LIVED} ${toDo}` : toDo;
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

function stillOpen(userCode: string | undefined): string {
  const what = userCode === undefined ? 'loginUrl' : 'loginUrl and userCode';
  return `The user has not completed the login yet. Show them ${what} again if they need it.`;
}

/** The result of a failed login. Names a provider that is not the default, because the next call must name it again. */
function failedResult(
  failure: LoginFailure,
  { provider }: Pick<LoginCall, 'provider'>,
  defaultProvider: string,
): CallToolResult {
  const where = provider === defaultProvider ? '' : ` This was a login with provider "${provider}".`;
  return errorResult(`${failureText(failure)}${where}`);
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
function authenticatedResult(account: AccountRecord, handle: string | undefined): CallToolResult {
  const { provider, subject, name } = account;
  const who = name ?? subject;
  return structuredResult(
    omitUndefined({
      status: 'authenticated',
      session: handle,
      account: omitUndefined({ provider, subject, name }),
      next: handle
        ? `Logged in as ${who}. Pass this \`session\` in every further call of any tool.`
        : `Logged in as ${who}. Continue with the task that required the login.`,
    }),
  );
}

/** Why a login failed, and what to do. */
function failureText(failure: LoginFailure): string {
  switch (failure) {
    case 'declined':
      return 'The user declined to log in. Ask them before you try again.';
    case 'expired':
      return 'The login was not completed in time. Call `login` to start a new one.';
    case 'browser_mismatch':
      return 'The login was rejected: it was completed in another browser than the one that started it. Call `login` to start a new one.';
    case 'identity_mismatch':
      return 'The login was rejected: it was completed by another user than the one whose token this client has. None of its data was kept. Call `login` to start a new one, and ask that user to complete it.';
    case 'provider_unavailable':
      return 'The identity provider could not be reached. Try `login` again in a minute.';
    case 'provider_refused':
      return 'The identity provider rejected the login, or its response was not valid. Call `login` to try again. If it fails again, tell the operator of this server.';
    case 'wrong_code':
      return 'A wrong confirmation code was entered too often. Call `login` to start a new login.';
    case 'superseded':
      return 'A newer login has replaced this one. Call `login` to continue with it.';
    case 'evicted':
      return 'The login was cancelled, because too many logins are pending at this server. Try `login` again in a minute.';
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
}

/** The instruction to continue a pending login. */
export function callAgain(names: LoginNames): string {
  return callAgainWith(namedIn(names));
}

/** The instruction if the browser shows a confirmation code. */
export function presentCode(names: LoginNames): string {
  return `The browser shows a confirmation code. Ask the user for it and ${callAgainWith([...namedIn(names), 'the `code`'])}.`;
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
