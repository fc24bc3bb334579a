import { describe, expect, it } from 'vitest';
import { storeUnavailable } from '../errors.js';
import { LocalMessages } from '../store/local-messages.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import type { ChangeElsewhere } from './followed-session.js';
import type { SessionRef } from './ids.js';
import { LocalSessions } from './local-sessions.js';
import { SessionMessages } from './session-messages.js';
import { type AccountRecord, blankRecord, type SessionRecord } from './session-record.js';

// The brand is given in the library only; here any text will do.
const ref = 'session' as unknown as SessionRef;
const BLANK = blankRecord(ref, 'owner-session', 'alice', 0);
const account = (provider: string): AccountRecord =>
  ({
    provider,
    subject: 'alice',
    generation: 1,
    sealed: { bytes: Buffer.alloc(1) },
  }) as unknown as AccountRecord;
const SIGNED_IN: SessionRecord = {
  ...BLANK,
  epoch: 7,
  accounts: { one: account('one'), two: account('two') },
};

/** A session at one node, whose record another node changes. */
class Bench {
  readonly clock = new VirtualClock();
  readonly channel = new LocalMessages();
  readonly changes: ChangeElsewhere[] = [];
  readonly errors: unknown[] = [];
  record: SessionRecord | undefined = SIGNED_IN;
  isDown = false;
  readonly local = new LocalSessions({
    store: { get: () => this.#answer() },
    clock: this.clock,
    messages: new SessionMessages(this.channel),
    onError: (error) => void this.errors.push(error),
  });

  constructor() {
    this.local.onChangedElsewhere = (change) => void this.changes.push(change);
  }

  /** Changes the record as another node does. */
  async change(record: SessionRecord | undefined): Promise<void> {
    this.record = record;
    await this.tell();
  }

  async tell(): Promise<void> {
    this.channel.publish(`session ${ref}`);
    await this.clock.advance(0);
  }

  signal(): AbortSignal {
    return this.local.signalOf({ ref, epoch: SIGNED_IN.epoch });
  }

  async #answer(): Promise<SessionRecord | undefined> {
    if (this.isDown) throw storeUnavailable(new Error('down'));
    return this.record;
  }
}

async function known(): Promise<Bench & { readonly abort: AbortSignal }> {
  const bench = new Bench();
  const abort = bench.signal();
  await bench.clock.advance(0);
  return Object.assign(bench, { abort });
}

describe('a session that another node changes', () => {
  it('is signed out here, too: what runs for it is aborted [security 53]', async () => {
    const bench = await known();
    await bench.change({ ...BLANK, epoch: 8 });
    expect(bench.abort.aborted).toBe(true);
    expect(bench.changes).toEqual([{ type: 'session.signed_out', ref, epoch: 7 }]);
    expect(bench.local.signalOf({ ref, epoch: 8 }).aborted).toBe(false);
  });

  it('has ended here, too, and nothing of it is kept [security 53]', async () => {
    const bench = await known();
    await bench.change(undefined);
    expect(bench.abort.aborted).toBe(true);
    expect(bench.changes).toEqual([{ type: 'session.ended', ref, epoch: 7 }]);
    expect([bench.local.size, bench.channel.size]).toEqual([0, 0]);
  });

  it('has ended if its owner has the next one, whatever the epoch of that [security 53]', async () => {
    const bench = await known();
    await bench.change({ ...SIGNED_IN, createdAtMs: 1, epoch: 3 });
    expect(bench.abort.aborted).toBe(true);
    expect(bench.changes).toMatchObject([{ type: 'session.ended' }]);
  });

  it.each([
    ['has lost an account', { accounts: { one: account('one') } }, 'session.account_lost'],
    [
      'has an account without tokens',
      { accounts: { ...SIGNED_IN.accounts, two: { ...account('two'), sealed: undefined } } },
      'session.account_lost',
    ],
    [
      'has another user at a provider',
      { accounts: { ...SIGNED_IN.accounts, two: { ...account('two'), subject: 'bob' } } },
      'session.account_lost',
    ],
    [
      'has one more account',
      { accounts: { ...SIGNED_IN.accounts, three: account('three') } },
      'session.changed',
    ],
    ['has changed otherwise', { isExpiryAnnounced: true }, 'session.changed'],
  ] as const)('aborts nothing if it %s', async (_what, fields, type) => {
    const bench = await known();
    // The compiler knows no account without tokens by this literal.
    await bench.change({ ...SIGNED_IN, ...(fields as Partial<SessionRecord>) });
    expect(bench.abort.aborted).toBe(false);
    expect(bench.changes).toEqual([{ type, ref, epoch: 7 }]);
  });

  it('is compared with what this node has changed itself', async () => {
    const bench = await known();
    bench.record = { ...SIGNED_IN, accounts: { one: account('one') } };
    bench.local.changed(bench.record);
    await bench.tell();
    expect(bench.changes).toMatchObject([{ type: 'session.changed' }]);
  });

  it('has ended if a request finds that, although no message has come [security 53]', async () => {
    const bench = await known();
    bench.record = undefined;
    await bench.local.read(ref, async () => bench.record);
    expect(bench.abort.aborted).toBe(true);
    expect(bench.changes).toMatchObject([{ type: 'session.ended' }]);
  });

  it('is read again after an error of the store, until it answers [security 53]', async () => {
    const bench = await known();
    bench.isDown = true;
    await bench.change(undefined);
    await bench.clock.advance(3000);
    expect(bench.errors).toHaveLength(4);
    expect(bench.abort.aborted).toBe(false);
    bench.isDown = false;
    await bench.clock.advance(1000);
    expect(bench.abort.aborted).toBe(true);
  });

  it('counts as signed out if the message comes before the answer of the first read [security 53]', async () => {
    const bench = new Bench();
    const abort = bench.signal();
    await bench.change({ ...BLANK, epoch: 8 });
    expect(abort.aborted).toBe(true);
    expect(bench.changes.map(({ type }) => type)).toContain('session.signed_out');
  });
});

describe('what another part of this process keeps of a session', () => {
  it('is followed until it is not kept any more', async () => {
    const bench = new Bench();
    const drops = [bench.local.hold(ref), bench.local.hold(ref)];
    await bench.clock.advance(0);
    bench.local.requestBegan(ref)('server');
    await bench.change({ ...SIGNED_IN, isExpiryAnnounced: true });
    expect(bench.changes).toMatchObject([{ type: 'session.changed' }]);
    drops[0]?.();
    drops[0]?.();
    expect(bench.local.size).toBe(1);
    drops[1]?.();
    expect([bench.local.size, bench.channel.size]).toEqual([0, 0]);
  });

  it('is not read again when its process has stopped', async () => {
    const bench = new Bench();
    bench.local.hold(ref);
    await bench.clock.advance(0);
    bench.local.stop();
    await bench.change({ ...SIGNED_IN, isExpiryAnnounced: true });
    expect(bench.changes).toEqual([]);
  });

  it('is not followed in a process that shares no sessions', () => {
    const local = new LocalSessions({
      store: { get: () => SIGNED_IN },
      clock: new VirtualClock(),
      onError: () => undefined,
    });
    local.hold(ref)();
    local.hold(ref);
    expect(local.size).toBe(0);
  });
});
