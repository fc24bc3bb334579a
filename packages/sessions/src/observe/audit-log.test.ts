import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { ProviderFailure } from '../session/provider-failures.js';
import { providerFailed, type SessionEvent } from '../session/session-events.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { auditLog } from './audit-log.js';

const session = { session: 'AAAAAAAAAAAAAAAAAAAAAA', logId: 'abcdef012345' };
const ofAccount = { ...session, provider: 'idp', subject: 'alice@example.com' };

const FAILED_REFRESH = {
  generation: 1,
  failureReason: 'provider_unavailable',
  reason: 'html_answer',
  refreshAtMs: 1,
} as const;

/** One of each kind. */
const EVENTS: readonly SessionEvent[] = [
  { type: 'session.started', ...session, kind: 'connection' },
  { type: 'session.signed_out', ...session, reason: 'logout' },
  { type: 'session.ended', ...session, reason: 'idle' },
  { type: 'session.refused', reason: 'cap' },
  { type: 'login.started', ...session, provider: 'idp', flow: 'device', check: 'unchecked' },
  { type: 'login.failed', ...session, provider: 'idp', failure: 'browser_mismatch' },
  { type: 'account.authenticated', ...ofAccount, generation: 1, refreshAtMs: 5 },
  { type: 'account.refreshed', ...ofAccount, generation: 2, refreshAtMs: 5 },
  { type: 'account.moved', ...ofAccount, generation: 2, refreshAtMs: 5 },
  {
    type: 'account.refresh_failed',
    ...ofAccount,
    generation: 1,
    failureReason: 'provider_refused',
    oauthError: 'invalid_client',
    refreshAtMs: 1,
  },
  { type: 'account.reauthentication_required', ...ofAccount, failureReason: 'grant_revoked' },
  { type: 'account.removed', ...ofAccount },
  { type: 'account.revoked', ...ofAccount, revocation: 'confirmed' },
  { type: 'login.refused', reason: 'rate_limited' },
  { type: 'session.signed_out', ...session, reason: 'account_cap' },
  { type: 'token.refused', reason: 'audience', fault: 'It names no audience (aud).' },
  { type: 'token.refused', reason: 'expired', fault: 'It has expired.' },
  { type: 'login.failed', ...session, provider: 'idp', failure: 'provider_refused', reason: 'token_type' },
  { type: 'account.refresh_failed', ...ofAccount, ...FAILED_REFRESH },
  { type: 'logout.refused', provider: 'idp', reason: 'signature' },
];

function startLog() {
  const written: string[] = [];
  const logger = pino({ base: null, timestamp: false }, { write: (line: string) => void written.push(line) });
  const clock = new VirtualClock();
  const listener = auditLog({ logger, clock });
  const lines = (): Record<string, unknown>[] => written.map((line) => JSON.parse(line));
  return { clock, listener, lines };
}

function logged(events: readonly SessionEvent[]): Record<string, unknown>[] {
  const { listener, lines } = startLog();
  for (const event of events) listener(event);
  return lines();
}

describe('the audit log', () => {
  it.each([
    ['declined', 30],
    ['canceled', 30],
    ['signed_out', 30],
    ['superseded', 40],
    ['provider_refused', 40],
  ] as const)('writes a failed login as a warning unless its user wanted that: %s', (failure, level) => {
    expect(logged([{ type: 'login.failed', ...session, provider: 'idp', failure }])).toMatchObject([
      { failure, level },
    ]);
  });

  it('writes what happened, to which session, and why [security 49]', () => {
    const entries = logged(EVENTS);
    expect(entries.map(({ event }) => event)).toEqual(EVENTS.map(({ type }) => type));
    expect(entries[1]).toMatchObject({ ...session, reason: 'logout' });
    expect(entries[3]).toMatchObject({ reason: 'cap', level: 40 });
    expect(entries[4]).toMatchObject({ provider: 'idp', flow: 'device', check: 'unchecked' });
    expect(entries[15]).toMatchObject({
      reason: 'audience',
      fault: 'It names no audience (aud).',
      level: 40,
    });
    expect(entries[16]).toMatchObject({ reason: 'expired', level: 30 });
    expect(entries[5]).toMatchObject({ failure: 'browser_mismatch', level: 40 });
    expect(entries[9]).toMatchObject({
      failureReason: 'provider_refused',
      oauthError: 'invalid_client',
      level: 40,
    });
    expect(entries[12]).toMatchObject({ revocation: 'confirmed', level: 30 });
    expect(entries[13]).toMatchObject({ reason: 'rate_limited', level: 40 });
    expect(entries[14]).toMatchObject({ reason: 'account_cap', level: 40 });
    expect(entries[17]).toMatchObject({ failure: 'provider_refused', reason: 'token_type', level: 40 });
    expect(entries[18]).toMatchObject({ failureReason: 'provider_unavailable', reason: 'html_answer' });
    expect(entries[19]).toMatchObject({ provider: 'idp', reason: 'signature', level: 40 });
  });

  it('writes why a provider failed, with the setting to change [security 49]', () => {
    const failure: ProviderFailure = {
      provider: 'idp',
      step: 'discovery',
      reason: 'issuer_mismatch',
      outcome: 'refused',
      endpoint: 'https://id.test/.well-known/openid-configuration',
      status: 200,
      expected: 'https://id.test',
      received: 'https://id.test/',
      attempts: [
        { endpoint: 'https://id.test/a', answered: '200, another issuer' },
        { endpoint: 'https://id.test/b', answered: '404' },
      ],
    };
    const [entry] = logged([providerFailed(failure)]);
    expect(entry).toEqual({
      ...failure,
      level: 40,
      event: 'provider.failed',
      times: 1,
      attempts: 'https://id.test/a: 200, another issuer; https://id.test/b: 404',
      setting: 'issuer',
      msg: expect.stringMatching(
        /^The discovery of "idp" failed: the metadata of the provider names another issuer\. Change issuer: /,
      ),
    });
    const denied = { ...failure, reason: 'authorization_denied', outcome: 'denied' } as const;
    expect(logged([providerFailed(denied)])).toMatchObject([{ level: 30 }]);
  });

  it('counts the same failures of a provider [security 49]', async () => {
    const { lines, clock, listener } = startLog();
    const failure = { provider: 'idp', step: 'token', reason: 'timeout', outcome: 'lost' } as const;
    for (let time = 0; time < 1000; time++) listener(providerFailed(failure));
    listener(providerFailed({ ...failure, step: 'refresh' }));
    listener(providerFailed({ ...failure, reason: 'connection_lost' }));
    listener(providerFailed({ ...failure, provider: 'other' }));
    expect(lines()).toHaveLength(4);
    await clock.advance(60_000);
    expect(lines().slice(4)).toMatchObject([{ event: 'provider.failed', reason: 'timeout', times: 999 }]);
  });

  it('counts refusals and writes their number once a minute [security 49]', async () => {
    const { lines, clock, listener } = startLog();
    for (let time = 0; time < 1000; time++) {
      listener({ type: 'login.refused', reason: 'rate_limited' });
      listener({ type: 'session.refused', reason: 'address' });
    }
    listener({ type: 'session.refused', reason: 'cap' });
    expect(lines()).toHaveLength(3);
    await clock.advance(60_000);
    expect(lines().slice(3)).toMatchObject([
      { event: 'login.refused', reason: 'rate_limited', times: 999, level: 40 },
      { event: 'session.refused', reason: 'address', times: 999, level: 40 },
    ]);
  });

  it('counts requests for another principal’s connection, for each session [security 49]', async () => {
    const { lines, clock, listener } = startLog();
    const other = { session: 'BBBBBBBBBBBBBBBBBBBBBB', logId: 'fedcba543210' };
    for (let time = 0; time < 1000; time++) listener({ type: 'session.not_owned', ...session });
    listener({ type: 'session.not_owned', ...other });
    expect(lines()).toMatchObject([
      { event: 'session.not_owned', ...session, level: 40 },
      { event: 'session.not_owned', ...other, level: 40 },
    ]);
    await clock.advance(60_000);
    expect(lines().slice(2)).toMatchObject([
      { event: 'session.not_owned', ...session, times: 999, level: 40 },
    ]);
  });

  it('names a session by the ids of its events, in every line about it [security 49]', () => {
    const ids = logged(EVENTS).map(({ session, logId }) => ({ session, logId }));
    expect(ids).toEqual(EVENTS.map((event) => ('logId' in event ? session : {})));
  });

  it('writes listed fields only: no subject, and nothing unknown [security 48]', () => {
    const smuggled = EVENTS.map((event) => ({ ...event, accessToken: 'canary', id: 'canary' }));
    const text = JSON.stringify(logged(smuggled));
    expect(text).not.toContain('canary');
    expect(text).not.toContain('alice');
  });
});
