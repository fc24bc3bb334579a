import { describe, expect, it } from 'vitest';
import type { LoginFailure } from '../../../session/session-events.js';
import { failedLogin } from './login-texts.js';

const CALL = { provider: 'work', renew: false };
const FAILURES: Readonly<Record<LoginFailure, true>> = {
  declined: true,
  expired: true,
  browser_mismatch: true,
  identity_mismatch: true,
  provider_unavailable: true,
  provider_refused: true,
  internal_error: true,
  wrong_code: true,
  superseded: true,
  canceled: true,
  evicted: true,
  signed_out: true,
};

describe.each(Object.keys(FAILURES) as LoginFailure[])('the text of a login that failed: %s', (failure) => {
  it.each([undefined, 'html_answer'] as const)('says what to do next, with the reason %s', (reason) => {
    for (const keepsLogin of [false, true]) {
      const text = failedLogin({ failure, reason, keepsLogin }, CALL, 'work');
      expect(text).toMatch(/`login`|Ask (the user|them) before/);
    }
  });

  it('says what the operator finds in the log if it sends the user to the operator', () => {
    const text = failedLogin({ failure, reason: 'html_answer' }, CALL, 'work');
    if (failure === 'provider_unavailable' || failure === 'provider_refused')
      expect(text).toMatch(/tell the operator of this server: the log has the reason `html_answer`\.$/);
    else if (failure === 'internal_error')
      expect(text).toMatch(/tell the operator of this server: the log has the error\.$/);
    else expect(text).not.toContain('tell the operator');
  });
});
