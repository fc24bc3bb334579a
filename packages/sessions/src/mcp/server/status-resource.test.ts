import { describe, expect, it } from 'vitest';
import type { SessionRef } from '../../session/ids.js';
import { type InternalEvent, providerFailed } from '../../session/session-events.js';
import { statusChangedBy } from './status-resource.js';

const ref = 'the-session' as SessionRef;
const session = { ref, epoch: 0 };
const ofAccount = { ...session, provider: 'idp', subject: 'alice' };
const ofTokens = { ...ofAccount, generation: 1, refreshAtMs: undefined };

/** Every event there is, and whether it changes what `session_status` says. */
const EVENTS: { readonly [T in InternalEvent['type']]: [InternalEvent & { type: T }, boolean] } = {
  'session.started': [{ type: 'session.started', ...session, kind: 'connection' }, false],
  'session.refused': [{ type: 'session.refused', reason: 'cap' }, false],
  'login.refused': [{ type: 'login.refused', reason: 'rate_limited' }, false],
  'token.refused': [{ type: 'token.refused', reason: 'expired', fault: 'It has expired.' }, false],
  'logout.refused': [{ type: 'logout.refused', provider: 'idp', reason: 'expired' }, false],
  'provider.failed': [
    providerFailed({ provider: 'idp', step: 'token', reason: 'timeout', outcome: 'lost' }),
    false,
  ],
  'session.not_owned': [{ type: 'session.not_owned', ...session }, false],
  'session.signed_out': [{ type: 'session.signed_out', ...session, reason: 'idle' }, true],
  'session.ended': [{ type: 'session.ended', ...session, reason: 'deleted' }, true],
  'session.expires_soon': [{ type: 'session.expires_soon', ...session }, true],
  'login.started': [{ type: 'login.started', ...ofAccount, flow: 'link', check: 'code' }, true],
  'login.failed': [{ type: 'login.failed', ...ofAccount, failure: 'declined' }, true],
  'account.authenticated': [{ type: 'account.authenticated', ...ofTokens }, true],
  'account.refreshed': [{ type: 'account.refreshed', ...ofTokens }, true],
  'account.moved': [{ type: 'account.moved', ...ofTokens }, false],
  'account.refresh_failed': [
    { type: 'account.refresh_failed', ...ofTokens, failureReason: 'provider_unavailable' },
    true,
  ],
  'account.expires_soon': [
    { type: 'account.expires_soon', ...ofAccount, generation: 1, expiresAtMs: 1 },
    true,
  ],
  'account.nonconforming_answer': [
    { type: 'account.nonconforming_answer', ...ofAccount, nonconformance: 'scope_widened' },
    false,
  ],
  'account.reauthentication_required': [
    { type: 'account.reauthentication_required', ...ofAccount, failureReason: 'grant_revoked' },
    true,
  ],
  'account.removed': [{ type: 'account.removed', ...ofAccount }, true],
  'account.revoked': [{ type: 'account.revoked', ...ofAccount, revocation: 'confirmed' }, false],
};

describe('the status of a session', () => {
  it.each(Object.values(EVENTS))('is, or is not, changed by an event ($type): %#', (event, changes) => {
    expect(statusChangedBy(event)).toBe(changes ? ref : undefined);
  });
});
