import { describe, expect, it } from 'vitest';
import {
  loginRequired,
  providerUnavailable,
  reauthenticationRequired,
  sessionRequired,
} from './account-errors.js';

describe('what a model reads when it cannot have a token', () => {
  it('is to log in where nobody is, and to name the session where it named none', () => {
    expect(loginRequired().code).toBe('login_required');
    expect(loginRequired().message).toMatch(/Call the `login` tool/);
    expect(sessionRequired().code).toBe('login_required');
    expect(sessionRequired().message).toMatch(/Pass the `session`/);
  });

  it('is to log in again at the provider whose grant is dead, and keeps the cause', () => {
    const cause = new Error('invalid_grant');
    const error = reauthenticationRequired('idp', cause);
    expect(error).toMatchObject({ code: 'reauthentication_required', cause });
    expect(error.message).toMatch(/"idp".*Call the `login` tool/);
  });

  it.each([
    [7, 7],
    [undefined, 10],
  ])('is to try again after what the provider says (%j), else after ten seconds', (retryAfter, seconds) => {
    const cause = new Error('503');
    const error = providerUnavailable('idp', retryAfter, cause);
    expect(error).toMatchObject({ code: 'provider_unavailable', retryAfterSeconds: seconds, cause });
    expect(error.message).toMatch(`"idp"`);
    expect(error.message).toMatch(`try again in ${seconds} seconds`);
  });
});
