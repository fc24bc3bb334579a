import { afterEach, describe, expect, it, vi } from 'vitest';
import { LoginBench } from '../../../../test/support/login-bench.js';
import { SessionBench } from '../../../../test/support/session-bench.js';
import { type SessionRecord, snapshotOf } from '../session/session-record.js';
import type { SessionStore } from '../session/session-store.js';
import { Vault } from '../vault/vault.js';

/** Delays the answers of a store to `replace`. */
class Delays {
  #delay: Promise<void> | undefined;

  constructor(store: SessionStore) {
    const replace = store.replace.bind(store);
    store.replace = async (...given) => {
      const delay = this.#delay;
      this.#delay = undefined;
      const isReplaced = await replace(...given);
      await delay;
      return isReplaced;
    };
  }

  /** Delays the next answer. @returns a function that lets it through */
  delayNext(): () => void {
    let release: () => void = () => undefined;
    this.#delay = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  }
}

async function setUp() {
  const bench = new SessionBench({ grantProviders: ['grants'] });
  const delays = new Delays(bench.store);
  const logins = new LoginBench(bench);
  const { completion } = logins;
  const { record } = await bench.registry.start('connection', 'anonymous');
  const start = (provider = 'idp', of: SessionRecord = record) => logins.start(of, { provider });
  return { bench, delays, logins, completion, record, start };
}

afterEach(() => void vi.restoreAllMocks());

describe('a login that fails during the commit of its tokens', () => {
  it('adds no account, and revokes the tokens [security 15]', async () => {
    const { bench, delays, completion, record, start } = await setUp();
    const release = delays.delayNext();
    const attempt = await start();
    const completing = completion.complete(attempt, bench.provider.grant('alice'));
    await bench.clock.advance(0);
    await completion.fail(attempt, 'superseded');
    release();
    expect(await completing).toEqual({ kind: 'failed', failure: 'superseded' });
    await bench.disposal.settled();
    expect((await bench.registry.get(record.ref))?.accounts).toEqual({});
    expect(bench.provider.revoked).toHaveLength(2);
  });

  it('keeps the account of a newer login [security 15]', async () => {
    const { bench, delays, completion, record, start } = await setUp();
    const release = delays.delayNext();
    const first = await start();
    const completing = completion.complete(first, bench.provider.grant('alice'));
    await bench.clock.advance(0);
    await completion.fail(first, 'superseded');
    expect(await completion.complete(await start(), bench.provider.grant('bob'))).toEqual({
      kind: 'authenticated',
    });
    release();
    expect(await completing).toEqual({ kind: 'failed', failure: 'superseded' });
    await bench.disposal.settled();
    expect((await bench.registry.get(record.ref))?.accounts.idp).toMatchObject({ subject: 'bob' });
    expect(bench.provider.revoked.filter((token) => token.includes('bob'))).toEqual([]);
  });
});

describe('a login with an unexpected error', () => {
  const failed = { kind: 'failed', failure: 'internal_error' };

  it('ends, is logged, and has its tokens revoked if these cannot be committed [security 15]', async () => {
    const { bench, logins, completion, start } = await setUp();
    const attempt = await start();
    bench.store.replace = () => Promise.reject(new Error('The store is down.'));
    const completing = completion.complete(attempt, bench.provider.grant('alice'));
    await bench.clock.advance(60_000);
    expect(await completing).toEqual(failed);
    expect(await logins.failureOf(attempt)).toEqual(failed);
    expect(bench.errors).toHaveLength(1);
    await bench.disposal.settled();
    expect(bench.provider.revoked).toHaveLength(2);
  });

  it('ends, is logged, and has its tokens revoked if these cannot be sealed [security 15]', async () => {
    const { bench, logins, completion, start } = await setUp();
    const granted = bench.provider.grant('alice');
    const attempt = await start();
    vi.spyOn(Vault.prototype, 'seal').mockImplementationOnce(() => {
      throw new RangeError('No memory.');
    });
    expect(await completion.awaitConfirmation(attempt, granted)).toEqual(failed);
    expect(await logins.failureOf(attempt)).toEqual(failed);
    expect(bench.errors).toHaveLength(1);
    await bench.disposal.settled();
    expect(bench.provider.revoked).toHaveLength(2);
  });

  it('ends and is logged if the tokens cannot be read when its code comes', async () => {
    const { bench, logins, completion, start } = await setUp();
    const attempt = await start();
    const waiting = await completion.awaitConfirmation(attempt, bench.provider.grant('alice'));
    vi.spyOn(Vault.prototype, 'open').mockImplementationOnce(() => {
      throw new RangeError('The tokens are damaged.');
    });
    expect(await completion.confirm(attempt, 'code' in waiting ? waiting.code : '')).toEqual(failed);
    expect(await logins.failureOf(attempt)).toEqual(failed);
    expect(bench.errors).toHaveLength(1);
  });
});

describe('a confirmation code', () => {
  /** A login that waits for its code. */
  async function waiting() {
    const parts = await setUp();
    const attempt = await parts.start();
    const result = await parts.completion.awaitConfirmation(attempt, parts.bench.provider.grant('alice'));
    if (result.kind !== 'code') throw new Error('There is no code.');
    return { ...parts, attempt, code: result.code };
  }

  it('can be tried five times, however many calls try at once [security 10]', async () => {
    const { logins, completion, attempt, code } = await waiting();
    const tries = Array.from({ length: 20 }, () => completion.confirm(attempt, 'WRONG'));
    const outcomes = await Promise.all(tries);
    expect(outcomes.filter(Boolean)).toEqual([{ kind: 'failed', failure: 'wrong_code' }]);
    expect(await logins.failureOf(attempt)).toMatchObject({ failure: 'wrong_code' });
    expect(await completion.confirm(attempt, code)).toBeUndefined();
  });

  it('is accepted at the fifth try', async () => {
    const { completion, attempt, code } = await waiting();
    for (let tries = 0; tries < 4; tries++)
      expect(await completion.confirm(attempt, 'WRONG')).toBeUndefined();
    expect(await completion.confirm(attempt, code)).toEqual({ kind: 'authenticated' });
  });

  it('adds one account, however many calls present it at once', async () => {
    const { bench, record, completion, attempt, code } = await waiting();
    const confirmed = await Promise.all([1, 2, 3].map(() => completion.confirm(attempt, code)));
    expect(confirmed.filter(Boolean)).toEqual([{ kind: 'authenticated' }]);
    expect((await bench.registry.get(record.ref))?.accounts.idp).toMatchObject({ subject: 'alice' });
    expect(bench.eventsOf('account.authenticated')).toHaveLength(1);
    await bench.disposal.settled();
    expect(bench.provider.revoked).toEqual([]);
  });

  it('counts as an account that is being added as soon as its tokens are taken [security 34]', async () => {
    const { bench, logins, record, completion, attempt, code } = await waiting();
    const { attempts } = logins;
    const replace = attempts.replace.bind(attempts);
    const subject = async () => (await bench.registry.get(record.ref))?.accounts.idp?.subject;
    let seen: Promise<string | undefined> | undefined;
    attempts.replace = (next, ifVersion) => {
      const isReplaced = replace(next, ifVersion);
      if (!next.outcome && !next.unconfirmed) seen = bench.accounts.added().then(subject);
      return isReplaced;
    };
    expect(await completion.confirm(attempt, code)).toEqual({ kind: 'authenticated' });
    expect(await seen).toBe('alice');
  });
});

describe('a login that has tokens already', () => {
  it('revokes those of a second answer, while it commits and after that [security 15]', async () => {
    const { bench, delays, completion, record, start } = await setUp();
    const attempt = await start();
    const release = delays.delayNext();
    const completing = completion.complete(attempt, bench.provider.grant('alice'));
    await bench.clock.advance(0);
    const superseded = { kind: 'failed', failure: 'superseded' };
    expect(await completion.complete(attempt, bench.provider.grant('bob'))).toEqual(superseded);
    expect(await completion.awaitConfirmation(attempt, bench.provider.grant('carol'))).toEqual(superseded);
    release();
    expect(await completing).toEqual({ kind: 'authenticated' });
    expect(await completion.complete(attempt, bench.provider.grant('dave'))).toEqual(superseded);
    await bench.disposal.settled();
    expect(bench.provider.revoked.filter((token) => token.includes('alice'))).toEqual([]);
    expect(bench.provider.revoked).toHaveLength(6);
    expect((await bench.registry.get(record.ref))?.accounts.idp).toMatchObject({ subject: 'alice' });
  });
});

describe('a login of another user', () => {
  it('completes, although it signs the session out, and ends the other logins [security 15, 22]', async () => {
    const { bench, logins, completion, record, start } = await setUp();
    await completion.complete(await start(), bench.provider.grant('alice'));
    const pending = await start('other');
    const unconfirmed = await start('third');
    await completion.awaitConfirmation(unconfirmed, bench.provider.grant('alice-third'));
    expect(await completion.complete(await start(), bench.provider.grant('bob'))).toEqual({
      kind: 'authenticated',
    });
    expect([await logins.failureOf(pending), await logins.failureOf(unconfirmed)]).toEqual([
      { kind: 'failed', failure: 'signed_out' },
      { kind: 'failed', failure: 'signed_out' },
    ]);
    await bench.disposal.settled();
    expect(bench.provider.revoked.filter((token) => token.includes('alice'))).toHaveLength(4);
    const { accounts } = (await bench.registry.get(record.ref)) ?? {};
    expect(Object.values(accounts ?? {}).map(({ subject }) => subject)).toEqual(['bob']);
  });

  it('is refused if one at another provider has signed the session out first [security 22]', async () => {
    const { bench, delays, completion, record, start } = await setUp();
    for (const provider of ['idp', 'other']) {
      await completion.complete(await start(provider), bench.provider.grant('alice'));
    }
    const [bob, carol] = [await start('idp'), await start('other')];
    const release = delays.delayNext();
    const completing = completion.complete(bob, bench.provider.grant('bob'));
    await bench.clock.advance(0);
    expect(await completion.complete(carol, bench.provider.grant('carol'))).toEqual({
      kind: 'failed',
      failure: 'signed_out',
    });
    release();
    expect(await completing).toEqual({ kind: 'authenticated' });
    await bench.disposal.settled();
    expect(bench.provider.revoked.filter((token) => token.includes('carol'))).toHaveLength(2);
    expect(Object.keys((await bench.registry.get(record.ref))?.accounts ?? {})).toEqual(['idp']);
  });
});

describe('a login that waits for its confirmation code at a provider with one grant for each user', () => {
  const GRANTS = 'grants';

  it('keeps the grant when another session of the user ends, and ends it with itself [security 22]', async () => {
    const { bench, logins, completion, start } = await setUp();
    const { record: other } = await bench.registry.start('connection', 'anonymous');
    await bench.accounts.commitLogin(snapshotOf(other), GRANTS, bench.provider.grant('alice'));
    const attempt = await start(GRANTS);
    await completion.awaitConfirmation(attempt, bench.provider.grant('alice'));
    await bench.registry.end(other.ref, 'deleted');
    await bench.disposal.settled();
    expect(bench.provider.revoked).toEqual([]);
    await bench.clock.advance(5 * 60 * 1000);
    await bench.disposal.settled();
    expect(await logins.failureOf(attempt)).toMatchObject({ failure: 'expired' });
    expect(bench.provider.revoked).toEqual(['refresh-alice-2', 'access-alice-2']);
  });

  it('ends no grant when it fails while its own session is promoted', async () => {
    const { bench, logins, completion, start } = await setUp();
    const { record } = await bench.loggedIn('alice', 'pending-handle');
    await bench.accounts.commitLogin(snapshotOf(record), GRANTS, bench.provider.grant('alice'));
    const attempt = await start(GRANTS, record);
    await completion.awaitConfirmation(attempt, bench.provider.grant('alice'));
    const latest = await bench.registry.get(record.ref);
    expect(latest && (await bench.accounts.promote(latest))).toBeDefined();
    await bench.disposal.settled();
    expect(await logins.failureOf(attempt)).toMatchObject({ failure: 'signed_out' });
    expect(bench.provider.revoked).toEqual([]);
  });
});
