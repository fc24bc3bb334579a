import { describe, expect, it } from 'vitest';
import { MapSessionStore } from '../store/map-session-store.js';
import { SessionBench } from '../testing/session-bench.js';
import { randomToken, systemRandom } from '../vault/random.js';
import { Vault } from '../vault/vault.js';
import { FailedLogins } from './failed-logins.js';
import type { LoginAttempt } from './login-attempt.js';
import { LoginAttempts } from './login-attempts.js';
import { LoginCompletion } from './login-completion.js';

/** A store that holds back the answer to the next `replace` until it is let go. */
class HoldingStore extends MapSessionStore {
  #held: Promise<void> | undefined;

  holdNext(): () => void {
    let letGo: () => void = () => undefined;
    this.#held = new Promise((resolve) => {
      letGo = resolve;
    });
    return letGo;
  }

  override async replace(...next: Parameters<MapSessionStore['replace']>): Promise<boolean> {
    const held = this.#held;
    this.#held = undefined;
    const isDone = await super.replace(...next);
    await held;
    return isDone;
  }
}

async function setUp() {
  const store = new HoldingStore();
  const bench = new SessionBench({ store });
  const { registry, accounts, disposal, clock, deadlines, keys, sessionEvents: events } = bench;
  const attempts = new LoginAttempts(deadlines);
  const endings = new LoginCompletion({
    attempts,
    ended: new FailedLogins(clock),
    accounts,
    registry,
    disposal,
    vault: new Vault(keys, systemRandom),
    events,
    clock,
    random: systemRandom,
    onError: (error) => void bench.errors.push(error),
  });
  const { record } = await registry.start('connection', 'anonymous');
  const begin = (): LoginAttempt => {
    const attempt: LoginAttempt = {
      id: randomToken(systemRandom),
      snapshot: { ref: record.ref, epoch: record.epoch },
      provider: 'idp',
      origin: { clientName: undefined, origin: 'local', initiator: undefined, clientKey: undefined },
      check: 'none',
      startedAtMs: clock.now(),
      expiresAtMs: clock.now() + 600_000,
      device: undefined,
      trip: undefined,
      lastTrip: undefined,
      inert: undefined,
      outcome: undefined,
    };
    attempts.add(attempt, () => endings.fail(attempt, 'expired'));
    return attempt;
  };
  return { bench, store, endings, record, begin };
}

describe('a login that is given up while it is taken in', () => {
  it('leaves nothing behind, and its tokens are revoked [security 15]', async () => {
    const { bench, store, endings, record, begin } = await setUp();
    const letGo = store.holdNext();
    const attempt = begin();
    const finishing = endings.finish(attempt, bench.provider.grant('alice'));
    await bench.clock.advance(0);
    endings.fail(attempt, 'superseded');
    letGo();
    expect(await finishing).toEqual({ kind: 'failed', failure: 'superseded' });
    await bench.disposal.settled();
    expect((await bench.registry.get(record.ref))?.accounts).toEqual({});
    expect(bench.provider.revoked).toHaveLength(2);
  });

  it('takes nothing from the login that came after it [security 15]', async () => {
    const { bench, store, endings, record, begin } = await setUp();
    const letGo = store.holdNext();
    const first = begin();
    const finishing = endings.finish(first, bench.provider.grant('alice'));
    await bench.clock.advance(0);
    endings.fail(first, 'superseded');
    expect(await endings.finish(begin(), bench.provider.grant('bob'))).toEqual({ kind: 'authenticated' });
    letGo();
    expect(await finishing).toEqual({ kind: 'failed', failure: 'superseded' });
    await bench.disposal.settled();
    expect((await bench.registry.get(record.ref))?.accounts.idp).toMatchObject({ subject: 'bob' });
    expect(bench.provider.revoked.filter((token) => token.includes('bob'))).toEqual([]);
  });
});

describe('a login that has ended without its client', () => {
  it.each(['declined', 'crowded_out', 'browser_mismatch'] as const)(
    'is told of once: %s',
    async (failure) => {
      const { endings, record, begin } = await setUp();
      endings.fail(begin(), failure);
      expect(endings.takeFailure(record.ref, 'idp')).toBe(failure);
      expect(endings.takeFailure(record.ref, 'idp')).toBeUndefined();
    },
  );

  it('is not told of where its session did that itself', async () => {
    const { endings, record, begin } = await setUp();
    endings.fail(begin(), 'superseded');
    expect(endings.takeFailure(record.ref, 'idp')).toBeUndefined();
  });
});
