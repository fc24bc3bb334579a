import { describe, expect, it } from 'vitest';
import { SessionBench } from '../../../../test/support/session-bench.js';
import type { IdKind, SessionId } from './ids.js';
import type { Lifetimes } from './lifetimes.js';
import type { SessionKind } from './session-record.js';

const MINUTE = 60_000;
const LIFETIMES = {
  idleMs: 30 * MINUTE,
  absoluteMs: 100 * MINUTE,
  disconnectGraceMs: 2 * MINUTE,
  loginAttemptMs: 10 * MINUTE,
  connectionTtlMs: 60 * MINUTE,
} satisfies Partial<Lifetimes>;

/** What a request finds: nothing, a session without a login, or one with a login. */
async function requestOf(bench: SessionBench, kind: IdKind, id: SessionId | string): Promise<string> {
  const found = await bench.registry.resolveRequest(kind, id);
  if (found.state !== 'live') return found.state === 'ended' ? `ended: ${found.reason}` : 'unknown';
  const { accounts, signedOut } = found.record;
  return Object.keys(accounts).length > 0 ? 'logged in' : `no login: ${signedOut}`;
}

interface Life {
  readonly lifetime: keyof typeof LIFETIMES;
  readonly kind: SessionKind;
  readonly isLoggedIn?: boolean;
  readonly found: string;
}

/** Each lifetime that a request could extend. */
const LIVES: Life[] = [
  { lifetime: 'idleMs', kind: 'connection', isLoggedIn: true, found: 'no login: idle' },
  { lifetime: 'idleMs', kind: 'handle', isLoggedIn: true, found: 'ended: idle' },
  { lifetime: 'disconnectGraceMs', kind: 'connection', isLoggedIn: true, found: 'no login: disconnect' },
  { lifetime: 'disconnectGraceMs', kind: 'handle', isLoggedIn: true, found: 'ended: disconnect' },
  { lifetime: 'loginAttemptMs', kind: 'pending-handle', found: 'ended: login_expired' },
  { lifetime: 'connectionTtlMs', kind: 'connection', found: 'ended: connection_expired' },
];

/** A session of which a lifetime has the duration: its own one, or a shorter one than all others. */
async function withLife({ kind, isLoggedIn, lifetime }: Life, durationMs: number) {
  const bench = new SessionBench({ lifetimes: { ...LIFETIMES, [lifetime]: durationMs } });
  const { id, record } = isLoggedIn
    ? await bench.loggedIn('alice', kind)
    : await bench.registry.start(kind, 'anonymous');
  if (lifetime === 'disconnectGraceMs') bench.registry.streamOpened(record.ref)('client');
  return { bench, id, idKind: kind === 'connection' ? 'connection' : 'handle' } as const;
}

describe('a request', () => {
  it.each(LIVES)(
    'that comes after $lifetime of a $kind does not revive it, even if no timer has run yet: $found [security 34, 35]',
    async (life) => {
      for (const durationMs of [LIFETIMES[life.lifetime], MINUTE]) {
        const { bench, id, idKind } = await withLife(life, durationMs);
        bench.clock.jump(durationMs);
        expect(await requestOf(bench, idKind, id)).toBe(life.found);
        expect(await requestOf(bench, idKind, id)).toBe(life.found);
      }
    },
  );

  it.each(LIVES)('that comes before the end of $lifetime of a $kind extends it', async (life) => {
    const durationMs = LIFETIMES[life.lifetime];
    const { bench, id, idKind } = await withLife(life, durationMs);
    for (let request = 0; request < 3; request++) {
      bench.clock.jump(durationMs - 1000);
      expect(await requestOf(bench, idKind, id)).toMatch(/^logged in$|^no login: undefined$/);
      // A disconnected client is back with its request.
      if (life.lifetime === 'disconnectGraceMs') return;
    }
  });

  it('that comes often does not extend the absolute lifetime [security 34]', async () => {
    const bench = new SessionBench({ lifetimes: LIFETIMES });
    const { id } = await bench.loggedIn('alice');
    for (let minute = 0; minute < 95; minute += 5) {
      bench.clock.jump(5 * MINUTE);
      expect(await requestOf(bench, 'connection', id)).toBe('logged in');
    }
    bench.clock.jump(5 * MINUTE);
    expect(await requestOf(bench, 'connection', id)).toBe('no login: absolute');
  });

  it('is answered in the same tick by a store of this process', async () => {
    const bench = new SessionBench();
    const { id, record } = await bench.loggedIn('alice');
    expect(bench.registry.resolveRequest('connection', id)).toMatchObject({ state: 'live' });
    expect(bench.registry.get(record.ref)).toMatchObject({ ref: record.ref });
  });
});
