import { describe, expect, it } from 'vitest';
import { SessionBench } from '../../../../test/support/session-bench.js';
import { Secret } from '../vault/secret.js';
import type { TokenSet } from '../vault/token-set.js';
import { type RevokeTokens, sealContextOf } from './disposal.js';
import type { Revocation } from './session-events.js';

/** A provider that answers revocations when it is told to. */
function slowRevocations() {
  const asked: { tokens: TokenSet; answer: (revocation: Revocation) => void }[] = [];
  const revokeTokens: RevokeTokens = (_provider, tokens) =>
    new Promise((answer) => asked.push({ tokens, answer }));
  return { asked, revokeTokens };
}

describe('disposing of accounts', () => {
  it('reports what the provider said of each', async () => {
    const bench = new SessionBench();
    const { record, snapshot } = await bench.loggedIn('alice');
    bench.provider.revocation = 'unsupported';
    await bench.accounts.commitLogin(snapshot, 'other', bench.provider.grant('bob'));
    const { revoked } = await bench.registry.signOut(record.ref, 'logout');
    expect(await revoked).toEqual([
      { provider: 'idp', revocation: 'unsupported' },
      { provider: 'other', revocation: 'unsupported' },
    ]);
    expect(bench.eventsOf('account.revoked')).toEqual([
      {
        type: 'account.revoked',
        ref: record.ref,
        epoch: 0,
        provider: 'idp',
        subject: 'alice',
        revocation: 'unsupported',
      },
      {
        type: 'account.revoked',
        ref: record.ref,
        epoch: 0,
        provider: 'other',
        subject: 'bob',
        revocation: 'unsupported',
      },
    ]);
  });

  it('wipes what is sealed at once, and the opened tokens as soon as the provider has answered [security 31, 34]', async () => {
    const { asked, revokeTokens } = slowRevocations();
    const bench = new SessionBench({ revokeTokens });
    const { record } = await bench.loggedIn('alice');
    const sealed = (await bench.registry.get(record.ref))?.accounts.idp?.sealed;
    const { revoked } = await bench.registry.end(record.ref, 'deleted');
    expect(sealed?.bytes.every((byte) => byte === 0)).toBe(true);

    let isSettled = false;
    const settled = bench.disposal.settled().then(() => {
      isSettled = true;
    });
    await bench.clock.advance(0);
    const [revocation] = asked;
    expect(revocation?.tokens.accessToken.reveal()).toBe('access-alice-1');
    expect(isSettled).toBe(false);

    revocation?.answer('confirmed');
    await Promise.all([settled, revoked]);
    expect(() => revocation?.tokens.accessToken.reveal()).toThrow('wiped');
    expect(() => revocation?.tokens.refreshToken?.reveal()).toThrow('wiped');
  });

  it.each([
    ['grant_revoked', 'confirmed'],
    ['refresh_lost', 'unconfirmed'],
    ['no_refresh_token', 'unconfirmed'],
  ] as const)(
    'has nothing to revoke of an account given up before (%s): that is %s',
    async (failureReason, revocation) => {
      const bench = new SessionBench();
      const { record } = await bench.loggedIn('alice');
      const before = await bench.registry.get(record.ref);
      const account = before?.accounts.idp;
      if (!before || !account) throw new Error('No user is logged in.');
      await bench.refresher.giveUp(before, account, failureReason);
      await bench.disposal.settled();
      bench.provider.revoked.length = 0;
      const { revoked } = await bench.registry.signOut(record.ref, 'logout');
      expect(await revoked).toEqual([{ provider: 'idp', revocation }]);
      expect(bench.provider.revoked).toEqual([]);
    },
  );

  it('keeps the tokens of 10,000 revocations at a provider, in their order, and wipes further ones [security 34, 40]', async () => {
    const { asked, revokeTokens } = slowRevocations();
    const bench = new SessionBench({ revokeTokens });
    const { snapshot } = await bench.loggedIn('alice');
    const revoke = (provider: string, name: string) => {
      const tokens: TokenSet = { accessToken: Secret.fromBytes(Buffer.from(name)), refreshToken: undefined };
      return { tokens, report: bench.disposal.revoke(snapshot, { provider }, tokens) };
    };
    const names = Array.from({ length: 10_001 }, (_, at) => `tokens ${at}`);
    const kept = names.map((name) => revoke('idp', name));
    const dropped = kept.pop();
    expect(await dropped?.report).toEqual({ provider: 'idp', revocation: 'unconfirmed' });
    expect(() => dropped?.tokens.accessToken.reveal()).toThrow('wiped');
    expect(bench.droppedRevocations).toEqual(['idp']);
    expect([bench.disposal.pending, asked.length]).toEqual([10_000, 50]);

    const other = revoke('other', 'tokens of another provider');
    await bench.clock.advance(0);
    const revealed: string[] = [];
    while (asked.length > 0) {
      for (const { tokens, answer } of asked.splice(0)) {
        revealed.push(tokens.accessToken.reveal());
        answer('confirmed');
      }
      await bench.clock.advance(0);
    }
    expect(await other.report).toEqual({ provider: 'other', revocation: 'confirmed' });
    expect(revealed.filter((name) => !name.includes('another'))).toEqual(names.slice(0, -1));
    expect([bench.disposal.pending, bench.droppedRevocations]).toEqual([0, ['idp']]);
  });

  it('wipes what it cannot read, and says that nothing was revoked of it [security 31]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    const sealed = (await bench.registry.get(record.ref))?.accounts.idp?.sealed;
    sealed?.bytes.writeUInt8((sealed.bytes[20] ?? 0) ^ 1, 20);
    const { revoked } = await bench.registry.signOut(record.ref, 'logout');
    expect(await revoked).toEqual([{ provider: 'idp', revocation: 'unconfirmed' }]);
    expect(sealed?.bytes.every((byte) => byte === 0)).toBe(true);
    expect(bench.provider.revoked).toEqual([]);
  });
});

describe('the place of an account', () => {
  it('is its session, its owner, its provider and its generation [security 29]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.registry.start('connection', 'a user');
    expect(sealContextOf(record, { provider: 'idp', generation: 7 })).toEqual({
      sessionRef: record.ref,
      owner: 'a user',
      provider: 'idp',
      generation: 7,
    });
  });
});
