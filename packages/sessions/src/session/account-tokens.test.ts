import { describe, expect, it } from 'vitest';
import { SessionBench } from '../../../../test/support/session-bench.js';
import { Vault } from '../vault/vault.js';
import type { AccountRecord, SessionRecord } from './session-record.js';

async function setUp(bench = new SessionBench()) {
  const { record } = await bench.loggedIn('alice');
  return { bench, ...(await stored(bench, record)) };
}

async function stored(bench: SessionBench, { ref }: SessionRecord) {
  const record = await bench.registry.get(ref);
  const account = record?.accounts.idp;
  if (!record || !account) throw new Error('No user is logged in.');
  return { record, account };
}

function damage({ sealed }: AccountRecord): void {
  sealed?.bytes.writeUInt8((sealed.bytes[20] ?? 0) ^ 1, 20);
}

describe('the tokens of an account', () => {
  it('open in their own place, and to nothing in another session [security 29]', async () => {
    const { bench, record, account } = await setUp();
    const other = await bench.registry.start('connection', 'anonymous');
    expect(bench.tokens.open(record, account)?.accessToken.reveal()).toBe('access-alice-1');
    expect(bench.tokens.open(other.record, account)).toBeUndefined();
  });

  it('open to nothing once they are wiped, damaged or given up [security 31]', async () => {
    const { bench, record, account } = await setUp();
    expect(bench.tokens.open(record, { ...account, sealed: undefined })).toBeUndefined();
    damage(account);
    expect(bench.tokens.open(record, account)).toBeUndefined();
    bench.tokens.wipe(account);
    expect(account.sealed?.salt.every((byte) => byte === 0)).toBe(true);
    expect(bench.tokens.open(record, account)).toBeUndefined();
    bench.tokens.wipe({ ...account, sealed: undefined });
    bench.tokens.wipe(undefined);
  });

  it('do not pass for wiped when the vault itself fails', async () => {
    class BrokenVault extends Vault {
      override open(): never {
        throw new Error('broken');
      }
    }
    const { bench, record, account } = await setUp(
      new SessionBench({ parts: { createVault: (keys, random) => new BrokenVault(keys, random) } }),
    );
    expect(() => bench.tokens.open(record, account)).toThrow('broken');
  });

  it('move to another session as they are, and are wiped where they were [security 31]', async () => {
    const { bench, record, account } = await setUp();
    const other = await bench.registry.start('handle', 'another user');
    const moved = bench.tokens.move(record, other.record).idp;
    expect(moved).toEqual({ ...account, sealed: moved?.sealed });
    expect(moved && bench.tokens.open(other.record, moved)?.refreshToken?.reveal()).toBe('refresh-alice-1');
    expect(account.sealed?.bytes.every((byte) => byte === 0)).toBe(true);
  });

  it('do not move when they cannot be read', async () => {
    const { bench, record, account } = await setUp();
    damage(account);
    const other = await bench.registry.start('handle', 'anonymous');
    expect(bench.tokens.move(record, other.record)).toEqual({});
  });
});
