import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { SessionRef } from '../session/ids.js';
import type { SessionEvent } from '../session/session-events.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { auditLog } from './audit-log.js';

const ref = 'a-session-reference' as SessionRef;

/** One of each kind. */
const EVENTS: readonly SessionEvent[] = [
  { type: 'session.started', ref, kind: 'connection' },
  { type: 'session.signed_out', ref, reason: 'logout' },
  { type: 'session.ended', ref, reason: 'idle' },
  { type: 'session.refused', reason: 'cap' },
  { type: 'login.started', ref, provider: 'idp', flow: 'device', check: 'unchecked' },
  { type: 'login.failed', ref, provider: 'idp', failure: 'browser_mismatch' },
  { type: 'account.authenticated', ref, provider: 'idp', generation: 1, refreshAtMs: 5 },
  { type: 'account.refreshed', ref, provider: 'idp', generation: 2, refreshAtMs: 5 },
  { type: 'account.moved', ref, provider: 'idp', generation: 2, refreshAtMs: 5 },
  {
    type: 'account.refresh_failed',
    ref,
    provider: 'idp',
    generation: 1,
    failureReason: 'provider_unavailable',
    refreshAtMs: 1,
  },
  { type: 'account.reauthentication_required', ref, provider: 'idp', failureReason: 'grant_revoked' },
  { type: 'account.removed', ref, provider: 'idp' },
  { type: 'account.revoked', ref, provider: 'idp', revocation: 'confirmed' },
  { type: 'login.refused', reason: 'rate_limited' },
  { type: 'session.signed_out', ref, reason: 'account_cap' },
  { type: 'token.refused', reason: 'audience', fault: 'It names no audience (aud).' },
  { type: 'token.refused', reason: 'expired', fault: 'It has expired.' },
];

const logIdOf = (each: SessionRef) => (each === ref ? 'abcdef012345' : 'fedcba543210');

function startLog() {
  const written: string[] = [];
  const logger = pino({ base: null, timestamp: false }, { write: (line: string) => void written.push(line) });
  const clock = new VirtualClock();
  const listener = auditLog({ logger, logIdOf, clock });
  const lines = (): Record<string, unknown>[] => written.map((line) => JSON.parse(line));
  return { clock, listener, lines };
}

function logged(events: readonly SessionEvent[]): Record<string, unknown>[] {
  const { listener, lines } = startLog();
  for (const event of events) listener(event);
  return lines();
}

describe('the audit log', () => {
  it('says what happened, to which session, and why [security 49]', () => {
    const entries = logged(EVENTS);
    expect(entries.map(({ event }) => event)).toEqual(EVENTS.map(({ type }) => type));
    expect(entries[1]).toMatchObject({ session: 'abcdef012345', reason: 'logout' });
    expect(entries[3]).toMatchObject({ reason: 'cap', level: 40 });
    expect(entries[4]).toMatchObject({ provider: 'idp', flow: 'device', check: 'unchecked' });
    expect(entries[15]).toMatchObject({
      reason: 'audience',
      fault: 'It names no audience (aud).',
      level: 40,
    });
    expect(entries[16]).toMatchObject({ reason: 'expired', level: 30 });
    expect(entries[5]).toMatchObject({ failure: 'browser_mismatch', level: 40 });
    expect(entries[9]).toMatchObject({ failureReason: 'provider_unavailable', level: 40 });
    expect(entries[12]).toMatchObject({ revocation: 'confirmed', level: 30 });
    expect(entries[13]).toMatchObject({ reason: 'rate_limited', level: 40 });
    expect(entries[14]).toMatchObject({ reason: 'account_cap', level: 40 });
  });

  it('is not filled by those who are refused: it says how often that happened [security 49]', async () => {
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

  it('is not filled by whoever presents what is somebody else’s, and says of which session [security 49]', async () => {
    const { lines, clock, listener } = startLog();
    const other = 'another-session-reference' as SessionRef;
    for (let time = 0; time < 1000; time++) listener({ type: 'session.not_owned', ref });
    listener({ type: 'session.not_owned', ref: other });
    expect(lines()).toMatchObject([
      { event: 'session.not_owned', session: logIdOf(ref), level: 40 },
      { event: 'session.not_owned', session: logIdOf(other), level: 40 },
    ]);
    await clock.advance(60_000);
    expect(lines().slice(2)).toMatchObject([
      { event: 'session.not_owned', session: logIdOf(ref), times: 999, level: 40 },
    ]);
  });

  it('names a session by its log id only, and takes nothing that it does not know [security 48]', () => {
    const smuggled = EVENTS.map((event) => ({ ...event, accessToken: 'canary', id: 'canary' }));
    const text = JSON.stringify(logged(smuggled));
    expect(text).not.toContain('canary');
    expect(text).not.toContain(ref);
  });
});
