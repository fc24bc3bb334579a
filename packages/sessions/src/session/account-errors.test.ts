import { describe, expect, it } from 'vitest';
import {
  loginRequired,
  notRenewed,
  reauthenticationRequired,
  sessionRequired,
  tokenRejected,
} from './account-errors.js';

describe('what a model reads when it cannot have a token', () => {
  it('asks for a login, or for the session if the request names none', () => {
    expect(loginRequired('idp').code).toBe('login_required');
    expect(loginRequired('idp').message).toMatch(/at "idp".*Call the `login` tool with provider "idp"/);
    expect(sessionRequired().code).toBe('login_required');
    expect(sessionRequired().message).toMatch(/Pass the `session`/);
  });

  it.each([
    ['logout', 'the user logged out'],
    ['idle', 'it was not used for too long'],
    ['absolute', 'it reached its longest lifetime'],
    ['disconnect', 'this client was disconnected for too long'],
    ['operator', 'the operator of this server ended it'],
  ] as const)('is what has become of the login that there was (%s)', (signedOut, why) => {
    const error = loginRequired('idp', signedOut);
    expect(error.code).toBe('login_required');
    expect(error.message).toBe(
      `The login here has ended: ${why}. Call the \`login\` tool with provider "idp", then repeat this call.`,
    );
  });

  it('is to log in again at the provider whose grant is dead, and keeps the cause', () => {
    const cause = new Error('invalid_grant');
    const error = reauthenticationRequired('idp', cause);
    expect(error).toMatchObject({ code: 'reauthentication_required', cause });
    expect(error.message).toMatch(/"idp".*Call the `login` tool/);
    for (const { message } of [error, tokenRejected('idp')])
      expect(message).toMatch(/with provider "idp" to log in again, then repeat this call\.$/);
  });

  it.each([
    ['provider_unavailable', 'is not available', 6.2, 7],
    ['provider_refused', 'rejected the refresh', 0, 1],
  ] as const)('is to try again in whole seconds (%s)', (failureReason, what, retryAfter, seconds) => {
    const cause = new Error('503');
    const error = notRenewed('idp', failureReason, retryAfter, cause);
    expect(error).toMatchObject({ code: failureReason, retryAfterSeconds: seconds, cause });
    expect(error.message).toContain(`"idp" ${what}`);
    expect(error.message).toContain(
      `Try again in ${seconds} seconds, or call the \`login\` tool with provider "idp" to log in again; the current login is kept until then.`,
    );
  });

  it.each([
    ['invalid_client', 'rejected the refresh (invalid_client). If it is refused again, the operator'],
    ['text of the provider', 'rejected the refresh. If it is refused again, the operator'],
  ])('names the error code of the provider only if RFC 6749 defines it: %s', (code, text) => {
    const response = Object.assign(new Error('401'), { error: code });
    const error = notRenewed('idp', 'provider_refused', 1, new Error('failed', { cause: response }));
    expect(error.message).toContain(text);
  });
});
