import type { CallToolResult } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { PendingLogin } from '../../login/logins.js';
import type { LoginFailure } from '../../session/session-events.js';
import type { AccountRecord } from '../../session/session-record.js';
import { present, structuredResult } from '../tool-result.js';
import type { LoginCall } from './login-call.js';

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

/** The structured result of `login`; a session that has no handle is none of the model's business. */
export function loginOutputSchema(hasHandles: boolean): z.ZodType {
  return hasHandles ? outputSchema.extend({ session: handleSchema }) : outputSchema;
}

/** The login goes on in a browser. */
export function pendingResult(call: LoginCall, pending: PendingLogin): CallToolResult {
  const { expiresInSeconds, needsCode, loginUrl } = pending;
  const again = call.handle ? 'call `login` again with this `session`' : 'call `login` again';
  const next = needsCode
    ? `The browser shows a confirmation code. Ask the user for it and ${again} and the \`code\`.`
    : `Show loginUrl to the user and ask them to open it. When they have logged in, ${again}.`;
  return structuredResult(
    present({
      status: needsCode ? 'confirmation_required' : 'pending',
      loginUrl: needsCode ? undefined : loginUrl,
      expiresInSeconds,
      session: call.handle,
      next,
    }),
  );
}

/** Somebody is logged in. */
export function authenticatedResult(account: AccountRecord, handle: string | undefined): CallToolResult {
  const { provider, subject, name } = account;
  const who = name ?? subject;
  return structuredResult(
    present({
      status: 'authenticated',
      session: handle,
      account: present({ provider, subject, name }),
      next: handle
        ? `Logged in as ${who}. Pass this \`session\` in every further call of any tool.`
        : `Logged in as ${who}. Go on with what the login was needed for.`,
    }),
  );
}

/** Why a login failed, and what to do about it. */
export function failureText(failure: LoginFailure): string {
  switch (failure) {
    case 'declined':
      return 'The user declined to log in. Ask them before you call `login` again.';
    case 'expired':
      return 'The login was not finished in time. Call `login` to start a new one.';
    case 'browser_mismatch':
      return 'The login was finished by another browser than the one that started it, and was refused. Call `login` to start a new one.';
    case 'identity_mismatch':
      return 'The login was finished by another user than the one this client is signed in as, and was refused; the tokens were revoked. Call `login` to start a new one, and have that user finish it.';
    case 'provider_unavailable':
      return 'The identity provider could not be reached. Try `login` again in a minute.';
    case 'provider_refused':
      return 'The identity provider refused the login, or its answer was not valid. Call `login` to try again; if it stays so, tell the operator of this server.';
    case 'wrong_code':
      return 'The confirmation code was wrong too often. Call `login` to start a new login.';
    case 'superseded':
      return 'A newer login has taken the place of this one. Call `login` to go on with it.';
    case 'crowded_out':
      return 'Too many logins were started here, and this one had to make room. Call `login` to start a new one.';
    case 'signed_out':
      return 'The session was signed out before the login was finished. Call `login` to start a new one.';
  }
}
