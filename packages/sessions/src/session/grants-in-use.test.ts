import { describe, expect, it } from 'vitest';
import { benchNodes } from '../../../../test/support/bench-nodes.js';
import { LoginBench } from '../../../../test/support/login-bench.js';
import type { EngineStores } from '../../../../test/support/modelled-engine.js';
import { SessionBench, type SessionBenchOptions } from '../../../../test/support/session-bench.js';
import type { BeforeSend, GrantedTokens, RefreshOutcome } from '../account/refresh/granted-tokens.js';
import { storeUnavailable } from '../errors.js';
import type { Secret } from '../vault/secret.js';
import { type SessionRecord, snapshotOf } from './session-record.js';

const MINUTE = 60_000;

function setUp(options: SessionBenchOptions = {}) {
  const bench = new SessionBench({ grantProviders: ['idp'], ...options });
  /** The tokens that are revoked until now. */
  const revoked = async () => {
    await bench.disposal.settled();
    return bench.provider.revoked.filter((token) => token.startsWith('refresh'));
  };
  /** Whether the grant of a user is in use besides tokens that no account has. */
  const isInUse = async ({ ref }: Pick<SessionRecord, 'ref'>, subject = 'alice') =>
    !(await bench.grantsInUse.mayRevoke({ ref, epoch: 0 }, { provider: 'idp', subject }));
  const pendingHandle = async (subject: string) => {
    const { record } = await bench.loggedIn(subject, 'pending-handle');
    const latest = await bench.registry.get(record.ref);
    if (!latest) throw new Error('The pending handle is gone.');
    return latest;
  };
  return { bench, revoked, isInUse, pendingHandle };
}

describe('the grant of a user at a provider with one for all logins', () => {
  it('is in use by the sessions that the user is logged in to, until the last one ends [security 22]', async () => {
    const { bench, revoked } = setUp();
    const { record: first } = await bench.loggedIn('alice');
    const { record: second } = await bench.loggedIn('alice', 'handle');
    const { record: other } = await bench.loggedIn('bob');
    await bench.registry.signOut(first.ref, 'logout');
    expect(await revoked()).toEqual([]);
    await bench.registry.end(other.ref, 'deleted');
    expect(await revoked()).toEqual(['refresh-bob-3']);
    await bench.registry.end(second.ref, 'deleted');
    expect(await revoked()).toEqual(['refresh-bob-3', 'refresh-alice-2']);
    expect(bench.eventsOf('account.revoked').map(({ revocation }) => revocation)).toEqual([
      'deferred',
      'confirmed',
      'confirmed',
    ]);
  });

  it('is in use by a newer login of the same session, but not by an older one [security 22]', async () => {
    const { bench, revoked } = setUp();
    const { record, snapshot } = await bench.loggedIn('alice');
    await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('alice'));
    expect(await revoked()).toEqual([]);
    await bench.refresher.refresh(record.ref, 'idp', 2);
    await bench.registry.signOut(record.ref, 'logout');
    expect(await revoked()).toEqual(['refresh-alice-3']);
  });

  it('is in use by the login of a session whose next login fails [security 22]', async () => {
    const { bench, isInUse } = setUp();
    const { record } = await bench.loggedIn('alice');
    expect([await isInUse(record), await isInUse(record, 'bob')]).toEqual([true, false]);
  });

  it('is not in use by an account that needs a new login, nor by one that the user logged out of', async () => {
    const { bench, revoked } = setUp();
    const { record: first } = await bench.loggedIn('alice');
    const { record: second, snapshot } = await bench.loggedIn('alice');
    const { record: third } = await bench.loggedIn('alice');
    const before = await bench.registry.get(first.ref);
    const account = before?.accounts.idp;
    if (!before || !account) throw new Error('No user is logged in.');
    await bench.refresher.giveUp(before, account, 'refresh_lost');
    await bench.accounts.commitLogin(snapshot, 'other', bench.provider.grant('alice'));
    await bench.accounts.remove(second.ref, 'idp');
    expect(await revoked()).toEqual([]);
    await bench.registry.signOut(third.ref, 'logout');
    expect(await revoked()).toEqual(['refresh-alice-3']);
  });

  it('stays in use while a pending handle becomes a session handle [security 22]', async () => {
    const { bench, isInUse, pendingHandle } = setUp();
    const { record: other } = await bench.loggedIn('alice');
    const pending = await pendingHandle('alice');
    const during: Promise<boolean>[] = [];
    const { startWith } = bench.registry;
    bench.registry.startWith = (...parameters) => {
      during.push(isInUse(other));
      return startWith.apply(bench.registry, parameters);
    };
    const promoted = await bench.accounts.promote(pending);
    expect(await Promise.all(during)).toEqual([true]);
    await bench.registry.end(other.ref, 'deleted');
    expect(promoted && (await isInUse(other))).toBe(true);
    if (promoted) await bench.registry.end(promoted.record.ref, 'deleted');
    expect(await isInUse(other)).toBe(false);
  });

  it('is not in use by a promotion that failed [security 22]', async () => {
    const { bench, revoked, pendingHandle } = setUp();
    const { record: other } = await bench.loggedIn('alice');
    const pending = await pendingHandle('alice');
    bench.store.insert = () => Promise.reject(storeUnavailable(new Error('down')));
    await expect(bench.accounts.promote(pending)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await revoked()).toEqual([]);
    await bench.registry.signOut(other.ref, 'logout');
    expect(await revoked()).toEqual(['refresh-alice-1']);
  });

  it('stays in use during a promotion, whatever ends in other sessions [security 22]', async () => {
    const { bench, revoked, pendingHandle } = setUp();
    const { record: other } = await bench.loggedIn('alice');
    const pending = await pendingHandle('alice');
    const insert = bench.store.insert.bind(bench.store);
    bench.store.insert = async (...given) => {
      await bench.registry.signOut(other.ref, 'logout');
      await bench.clock.advance(0);
      expect(bench.provider.revoked).toEqual([]);
      return insert(...given);
    };
    const promoted = await bench.accounts.promote(pending);
    if (!promoted) throw new Error('The pending handle was not promoted.');
    expect(await revoked()).toEqual([]);
    await bench.registry.end(promoted.record.ref, 'deleted');
    expect(await revoked()).toEqual(['refresh-alice-2']);
  });

  it('that another login has replaced is revoked once its session has moved [security 22]', async () => {
    const { bench, revoked, pendingHandle } = setUp({ grantProviders: [] });
    const pending = await pendingHandle('alice');
    const endHold = bench.grantsInUse.hold(pending);
    await bench.accounts.commitLogin(pending, 'idp', bench.provider.grant('alice'));
    await bench.clock.advance(0);
    expect(bench.provider.revoked).toEqual([]);
    endHold();
    expect(await revoked()).toEqual(['refresh-alice-1']);
  });

  it('is in use by a login that waits for its code, until its account is in a session [security 22]', async () => {
    const { bench, revoked, isInUse } = setUp();
    const logins = new LoginBench(bench);
    const { record: first } = await bench.loggedIn('alice');
    const { record: second } = await bench.registry.start('connection', 'anonymous');
    const attempt = await logins.start(second, { check: 'code' });
    const waiting = await logins.completion.awaitConfirmation(attempt, bench.provider.grant('alice'));
    await bench.registry.signOut(first.ref, 'logout');
    expect([await revoked(), await isInUse(first)]).toEqual([[], true]);
    await logins.completion.confirm(attempt, 'code' in waiting ? waiting.code : '');
    expect(await isInUse(first)).toBe(true);
    await bench.registry.signOut(second.ref, 'logout');
    expect([await revoked(), await isInUse(first)]).toEqual([['refresh-alice-2'], false]);
  });

  it('is not in use by a login whose session has ended, or was signed out since', async () => {
    const { bench, isInUse } = setUp();
    const { record: other } = await bench.registry.start('connection', 'anonymous');
    const { record } = await bench.registry.start('connection', 'anonymous');
    // Nothing fails the attempts when their session ends.
    const logins = new LoginBench(bench);
    logins.changes.fail = () => Promise.resolve(undefined);
    const waits = async () => {
      const current = await bench.registry.get(record.ref);
      const attempt = await logins.start(current ?? record, { check: 'code' });
      await logins.completion.awaitConfirmation(attempt, bench.provider.grant('alice'));
    };
    await waits();
    expect(await isInUse(other)).toBe(true);
    await bench.registry.signOut(record.ref, 'logout');
    expect(await isInUse(other)).toBe(false);
    await waits();
    expect(await isInUse(other)).toBe(true);
    await bench.registry.end(record.ref, 'deleted');
    expect(await isInUse(other)).toBe(false);
  });

  it('is revoked by the end of a session whose login is being committed [security 22]', async () => {
    const { bench, revoked } = setUp();
    const logins = new LoginBench(bench);
    const { record: other } = await bench.loggedIn('alice');
    const { record } = await bench.registry.start('connection', 'anonymous');
    const { update } = bench.registry;
    bench.registry.update = async (...parameters) => {
      const changed = await update.apply(bench.registry, parameters);
      if (parameters[0] === record.ref) {
        await bench.registry.end(record.ref, 'deleted');
        await bench.disposal.settled();
        // Its login is still noted as being committed.
        await bench.registry.end(other.ref, 'deleted');
        await bench.disposal.settled();
      }
      return changed;
    };
    await logins.completion.complete(await logins.start(record), bench.provider.grant('alice'));
    expect(await revoked()).toEqual(['refresh-alice-1']);
  });

  it('is revoked by a login that cannot be committed, before or after another login ends [security 22]', async () => {
    const { bench, revoked } = setUp();
    const logins = new LoginBench(bench);
    const { record: other } = await bench.loggedIn('alice');
    const { record } = await bench.registry.start('connection', 'anonymous');
    const attempt = await logins.start(record);
    bench.registry.update = () => Promise.reject(storeUnavailable(new Error('down')));
    const { fail } = logins.changes;
    logins.changes.fail = async (...parameters) => {
      expect(await revoked()).toEqual([]);
      // The attempt has not ended yet.
      await bench.registry.end(other.ref, 'deleted');
      expect(await revoked()).toEqual(['refresh-alice-1']);
      return fail.apply(logins.changes, parameters);
    };
    const outcome = await logins.completion.complete(attempt, bench.provider.grant('alice'));
    expect(outcome).toMatchObject({ failure: 'internal_error' });
  });

  it('is not in use by a login whose account has ended, although its attempt is still there', async () => {
    const { bench, isInUse } = setUp();
    const logins = new LoginBench(bench);
    const { record: other } = await bench.registry.start('connection', 'anonymous');
    const { record } = await bench.registry.start('connection', 'anonymous');
    logins.changes.complete = () => Promise.reject(storeUnavailable(new Error('down')));
    await logins.completion.complete(await logins.start(record), bench.provider.grant('alice'));
    expect(await isInUse(other)).toBe(true);
    const current = await bench.registry.get(record.ref);
    const account = current?.accounts.idp;
    if (current && account) await bench.refresher.giveUp(current, account, 'grant_revoked');
    expect(await isInUse(other)).toBe(false);
  });

  it('is revoked by the end of a session that a pending handle becomes [security 22]', async () => {
    const { bench, revoked, pendingHandle } = setUp();
    const pending = await pendingHandle('alice');
    const promoted = await bench.accounts.promote(pending);
    if (promoted) await bench.registry.end(promoted.record.ref, 'shutdown');
    expect(await revoked()).toEqual(['refresh-alice-1']);
  });

  it('is in use by an account whose refreshed tokens the store did not keep', async () => {
    const { bench } = setUp();
    const { record } = await bench.loggedIn('alice');
    bench.provider.holds = true;
    const refreshed = bench.refresher.refresh(record.ref, 'idp', 1).catch((error: unknown) => error);
    await bench.clock.advance(0);
    bench.registry.update = () => Promise.reject<never>(new Error('down'));
    bench.provider.held[0]?.answer(bench.provider.granted('refresh-alice-1'));
    await bench.clock.advance(62_000);
    expect(await refreshed).toMatchObject({ message: 'down' });
    expect([bench.provider.revoked, bench.eventsOf('account.revoked')]).toEqual([[], []]);
  });

  it.each(['get', 'refsOf'] as const)(
    'counts as used while the store is down: nothing is revoked that may be in use (%s)',
    async (method) => {
      const { bench, isInUse } = setUp();
      const { record } = await bench.registry.start('connection', 'anonymous');
      expect(await isInUse(record)).toBe(false);
      Object.assign(bench.store, { [method]: () => Promise.reject(storeUnavailable(new Error('down'))) });
      expect(await isInUse(record)).toBe(true);
    },
  );

  it.each(['get', 'refsOf'] as const)('is asked for again if one answer is lost (%s)', async (method) => {
    const { bench, isInUse } = setUp();
    const { record } = await bench.registry.start('connection', 'anonymous');
    const lost = async () => {
      Reflect.deleteProperty(bench.store, method);
      throw storeUnavailable(new Error('lost'));
    };
    Object.assign(bench.store, { [method]: lost });
    expect(await isInUse(record)).toBe(false);
  });

  it('counts as used by tokens of a user who is not known', async () => {
    const { bench } = setUp();
    const { record } = await bench.registry.start('connection', 'anonymous');
    const unknown = (provider: string) => bench.grantsInUse.mayRevoke(snapshotOf(record), { provider });
    expect([await unknown('idp'), await unknown('other')]).toEqual([false, true]);
  });
});

describe('the grant of a login at a provider with one for each', () => {
  it('is revoked with it, whatever other logins of the user there are', async () => {
    const { bench, revoked } = setUp({ grantProviders: [] });
    const { record, snapshot } = await bench.loggedIn('alice');
    await bench.loggedIn('alice');
    await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('alice'));
    expect(await revoked()).toEqual(['refresh-alice-1']);
    await bench.registry.signOut(record.ref, 'logout');
    expect(await revoked()).toEqual(['refresh-alice-1', 'refresh-alice-3']);
  });
});

describe('tokens that come when their account has others already', () => {
  /** A refresh of one node whose answer is late, and which another node has repeated in the meantime. */
  async function overtaken() {
    const { clock, nodes, answer } = benchNodes();
    const [late, other] = nodes;
    const { record, snapshot } = await answer(late.loggedIn('alice'));
    late.provider.holds = true;
    const refreshed = late.refresher.refresh(record.ref, 'idp', 1);
    await clock.advance(11 * MINUTE);
    await answer(other.refresher.refresh(record.ref, 'idp', 1));
    const { granted } = grantedBy(late.provider.granted('refresh-alice-1'));
    const arrive = async () => {
      late.provider.held[0]?.answer({ kind: 'granted', granted });
      await answer(refreshed);
      await answer(late.disposal.settled());
    };
    return { clock, late, other, record, snapshot, granted, arrive, answer };
  }

  it('are wiped and not revoked: the provider may end the whole grant [security 22]', async () => {
    const { late, other, snapshot, granted, arrive, answer } = await overtaken();
    await arrive();
    expect(late.provider.revoked).toEqual([]);
    expect(late.eventsOf('account.revoked')).toMatchObject([{ subject: 'alice', revocation: 'deferred' }]);
    expect(() => granted.tokens.accessToken.reveal()).toThrow('wiped');
    expect(await answer(other.accessToken(snapshot))).toBe('access-alice-1');
  });

  it('are revoked if another node has signed the session out since [security 22]', async () => {
    const { late, other, record, arrive, answer } = await overtaken();
    await answer(other.registry.signOut(record.ref, 'logout'));
    await arrive();
    expect(late.provider.revoked).toEqual(['refresh-alice-2', 'access-alice-2']);
    expect(other.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
  });

  it('are revoked if the user has logged in again since [security 22]', async () => {
    const { late, other, snapshot, arrive, answer } = await overtaken();
    await answer(other.accounts.commitLogin(snapshot, 'idp', other.provider.grant('alice')));
    await arrive();
    expect(late.provider.revoked).toEqual(['refresh-alice-2', 'access-alice-2']);
  });

  it('are wiped and not revoked if their refresh was given up for lost by then [security 22]', async () => {
    const after = lateAnswer();
    const { clock, nodes, answer } = benchNodes({ scheduler: true, refreshTokens: after.refreshTokens });
    const [late, other] = nodes;
    const { record, snapshot } = await answer(late.loggedIn('alice'));
    const refreshed = late.refresher.refresh(record.ref, 'idp', 1).catch((error: unknown) => error);
    await clock.advance(100);
    // The other node does not know that the answer is lost, and waits for the end of the claim.
    await answer(
      other.registry.update(record.ref, ({ accounts: { idp } }) =>
        idp ? { accounts: { idp: { ...idp, claim: undefined } } } : {},
      ),
    );
    after.isLost = false;
    await answer(other.refresher.refresh(record.ref, 'idp', 1));
    await clock.advance(10_000);
    expect(await refreshed).toBeUndefined();
    after.arrive(late.provider.grant('alice').tokens);
    await answer(late.disposal.settled());
    await clock.advance(1000);
    expect(late.provider.revoked).toEqual([]);
    expect(late.eventsOf('account.revoked')).toMatchObject([{ revocation: 'deferred' }]);
    expect(await answer(other.accessToken(snapshot))).toBe('access-alice-9');
  });

  it('are revoked if their account was given up since: no session can use them [security 22]', async () => {
    const after = lateAnswer();
    const { bench } = setUp({ grantProviders: [], scheduler: true, refreshTokens: after.refreshTokens });
    const { record } = await bench.loggedIn('alice');
    const refreshed = bench.refresher.refresh(record.ref, 'idp', 1).catch((error: unknown) => error);
    await bench.clock.advance(10_000);
    expect(await refreshed).toMatchObject({ code: 'reauthentication_required' });
    await bench.disposal.settled();
    bench.provider.revoked.length = 0;
    after.arrive(bench.provider.grant('alice').tokens);
    await bench.clock.advance(0);
    expect(bench.provider.revoked).toEqual(['refresh-alice-2', 'access-alice-2']);
  });

  it('are wiped and not revoked if only the answer to their commit was lost [security 22]', async () => {
    const lost = { isLost: false };
    const { clock, engine, nodes, answer } = benchNodes({}, { wrap: losingCommits(lost) });
    const [committing, other] = nodes;
    const { record } = await answer(committing.registry.start('connection', 'anonymous'));
    const snapshot = snapshotOf(record);
    const released: unknown[] = [];
    const hold = { grantId: 7, release: async () => void released.push(record) };
    lost.isLost = true;
    const login = committing.accounts
      .commitLogin(snapshot, 'idp', { ...committing.provider.grant('alice'), hold })
      .catch((error: unknown) => error);
    await clock.advance(500);
    engine.isDown = true;
    await clock.advance(2 * MINUTE);
    expect(await login).toMatchObject({ code: 'store_unavailable' });
    expect(released).toEqual([]);
    engine.isDown = false;
    await answer(committing.disposal.settled());
    expect(committing.provider.revoked).toEqual([]);
    expect(await answer(other.accessToken(snapshot))).toBe('access-alice-1');
  });
});

describe('a login on one node of several ones', () => {
  it('keeps the grant of its user in use while it waits for its code on another one [security 22]', async () => {
    const { nodes, answer } = benchNodes({ grantProviders: ['idp'] });
    const [one, other] = nodes;
    const logins = new LoginBench(other);
    const { record: first } = await answer(one.loggedIn('alice'));
    const { record: second } = await answer(other.registry.start('connection', 'anonymous'));
    const attempt = await answer(logins.start(second, { check: 'code' }));
    await answer(logins.completion.awaitConfirmation(attempt, other.provider.grant('alice')));
    const { revoked } = await answer(one.registry.signOut(first.ref, 'logout'));
    expect(await answer(revoked)).toEqual([{ provider: 'idp', revocation: 'deferred' }]);
    await answer(logins.completion.fail(attempt, 'declined'));
    await answer(other.disposal.settled());
    expect(other.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
  });
});

/** A provider whose answers are lost, and whose first one comes when the test says so. */
function lateAnswer() {
  let arrive: (tokens: GrantedTokens['tokens'] | undefined) => void = () => undefined;
  const late = new Promise<GrantedTokens['tokens'] | undefined>((resolve) => {
    arrive = resolve;
  });
  const repeated = new SessionBench().provider;
  for (let count = 0; count < 8; count++) repeated.grant('bob');
  let requests = 0;
  const state = {
    isLost: true,
    arrive,
    refreshTokens: async (
      _provider: string,
      refreshToken: Secret,
      beforeSend: BeforeSend,
    ): Promise<RefreshOutcome> => {
      const fence = await beforeSend();
      if (!fence?.()) return { kind: 'unwanted' };
      const isFirst = requests++ === 0;
      if (state.isLost) return { kind: 'lost', cause: undefined, ...(isFirst && { late }) };
      return repeated.granted(refreshToken.reveal());
    },
  };
  return state;
}

function grantedBy(outcome: RefreshOutcome): { readonly granted: GrantedTokens } {
  if (outcome.kind !== 'granted') throw new Error('The refresh is not granted.');
  return outcome;
}

/** An engine whose next change takes place, and whose answer does not come. */
function losingCommits(lost: { isLost: boolean }) {
  return (stores: EngineStores): EngineStores => {
    const replace = stores.sessions.replace.bind(stores.sessions);
    stores.sessions.replace = async (...given) => {
      const isReplaced = await replace(...given);
      if (lost.isLost) await new Promise<never>(() => undefined);
      return isReplaced;
    };
    return stores;
  };
}
