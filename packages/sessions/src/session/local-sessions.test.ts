import { describe, expect, it } from 'vitest';
import { storeUnavailable } from '../errors.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { onAbort } from '../time/on-abort.js';
import type { MaybePromise } from '../time/promises.js';
import type { SessionRef } from './ids.js';
import { LocalSessions } from './local-sessions.js';
import { blankRecord, type SessionRecord } from './session-record.js';

// The brand is given in the library only; here any text will do.
const ref = 'session' as unknown as SessionRef;
const ABSENT = { openStreams: 0, requests: 0 };

/** An answer of the store that a test gives later. */
function lateAnswer() {
  let give: (record: SessionRecord | undefined) => void = () => undefined;
  const answer = new Promise<SessionRecord | undefined>((resolve) => {
    give = resolve;
  });
  return { answer, give };
}

/** What a process keeps of one session, over a store with one record that a test sets. */
class Bench {
  readonly clock = new VirtualClock();
  readonly errors: unknown[] = [];
  readonly absent: SessionRef[] = [];
  record: SessionRecord | undefined;
  /** Replaces the answer of the store. */
  answer: (() => MaybePromise<SessionRecord | undefined>) | undefined;
  readonly local = new LocalSessions({
    store: { get: () => (this.answer ? this.answer() : this.record) },
    clock: this.clock,
    onError: (error) => void this.errors.push(error),
  });

  constructor(fields: Partial<SessionRecord> | undefined = {}) {
    this.record = { ...blankRecord(ref, 'connection', 'anonymous', 0), ...fields };
    this.local.onAbsent = (each) => void this.absent.push(each);
  }

  signal(epoch = 0): AbortSignal {
    return this.local.signalOf({ ref, epoch });
  }

  /** Reads the record, as a request does. */
  read(): void {
    void this.local.read(ref, () => this.record);
  }
}

describe('what a process keeps of a session', () => {
  it('is nothing while no stream, request or signal needs it', async () => {
    const { local, ...bench } = new Bench();
    expect(local.presenceOf(ref)).toEqual(ABSENT);
    expect([local.isPresent(ref), local.hasDisconnected(ref)]).toEqual([false, false]);
    local.changed({ ...blankRecord(ref, 'connection', 'anonymous', 0), epoch: 1 });
    local.dueTimeChosen(ref);
    expect([local.size, bench.errors]).toEqual([0, []]);
  });

  it('is nothing after the last of its short requests and streams', async () => {
    const { local, clock } = new Bench();
    const [first, second] = [local.requestBegan(ref), local.requestBegan(ref)];
    await clock.advance(500);
    first('server');
    const stream = local.streamOpened(ref);
    second('client');
    expect(local.size).toBe(1);
    await clock.advance(499);
    stream('server');
    expect([local.size, local.presenceOf(ref)]).toEqual([0, ABSENT]);
  });

  it('says when a client was last present, if that is long after its request', async () => {
    const { local, clock } = new Bench();
    const end = local.requestBegan(ref);
    await clock.advance(1000);
    end('server');
    expect(local.presenceOf(ref).presentUntilMs).toBe(1000);
    local.requestBegan(ref)('server');
    expect(local.size).toBe(0);
  });

  it('says that a client has disconnected, also after later requests that it gave up [security 36]', () => {
    const { local } = new Bench();
    local.streamOpened(ref)('client');
    local.requestBegan(ref)('client');
    expect(local.hasDisconnected(ref)).toBe(true);
    local.requestBegan(ref)('server');
    expect([local.hasDisconnected(ref), local.size]).toEqual([false, 0]);
  });

  it('has the signal that was given, whatever requests end [security 10]', () => {
    const bench = new Bench();
    const signal = bench.signal();
    bench.local.requestBegan(ref)('server');
    expect(bench.signal()).toBe(signal);
    bench.local.changed({ ...blankRecord(ref, 'connection', 'anonymous', 0), epoch: 1 });
    expect(signal.aborted).toBe(true);
  });

  it('is nothing if the store has no such session', () => {
    const bench = new Bench();
    bench.record = undefined;
    const { local } = bench;
    local.streamOpened(ref)('client');
    local.requestBegan(ref);
    local.clientLeft(ref);
    expect(bench.signal().reason).toMatchObject({ code: 'signed_out' });
    expect([local.size, local.presenceOf(ref), bench.absent]).toEqual([0, ABSENT, []]);
  });

  it('is forgotten when a read finds no record', () => {
    const bench = new Bench();
    const signal = bench.signal();
    bench.local.streamOpened(ref);
    bench.record = undefined;
    bench.read();
    expect(signal.aborted).toBe(true);
    expect([bench.local.size, bench.local.isPresent(ref)]).toEqual([0, false]);
  });

  it('is kept if the read began before the next session of the same owner', async () => {
    const bench = new Bench();
    bench.local.streamOpened(ref);
    const late = lateAnswer();
    const reading = bench.local.read(ref, () => late.answer);
    bench.record = undefined;
    bench.read();
    bench.record = blankRecord(ref, 'owner-session', 'alice', 1);
    bench.local.streamOpened(ref);
    const signal = bench.signal();
    late.give(undefined);
    await reading;
    expect([signal.aborted, bench.local.presenceOf(ref).openStreams]).toEqual([false, 1]);
  });

  it('is not what the next session of the same owner has', () => {
    const bench = new Bench();
    const { local } = bench;
    const ended = [local.streamOpened(ref), local.requestBegan(ref)];
    local.forget({ ref, epoch: 0 });
    local.streamOpened(ref);
    local.requestBegan(ref);
    for (const end of ended) end('client');
    expect(local.presenceOf(ref)).toEqual({ openStreams: 1, requests: 1 });
    expect(bench.absent).toEqual([]);
  });

  it('says that the client is absent when a stream has closed, and after a request if it kept the session alive', () => {
    const bench = new Bench();
    const { local, absent } = bench;
    const [stream, first, second] = [
      local.streamOpened(ref),
      local.requestBegan(ref),
      local.requestBegan(ref),
    ];
    first('server');
    expect(absent).toEqual([]);
    local.dueTimeChosen(ref);
    second('server');
    expect(absent).toEqual([ref]);
    stream('client');
    stream('client');
    expect(absent).toEqual([ref, ref]);
    expect(local.hasDisconnected(ref)).toBe(true);
  });
});

describe('the signal of a session', () => {
  it('is kept while it is followed, and forgotten with its last follower [security 10, 38]', () => {
    const bench = new Bench();
    const aborted: string[] = [];
    const stops = ['first', 'second'].map((name) => onAbort(bench.signal(), () => aborted.push(name)));
    bench.local.requestBegan(ref)('server');
    stops[0]?.();
    expect(bench.local.size).toBe(1);
    stops[1]?.();
    expect(bench.local.size).toBe(0);

    onAbort(bench.signal(), () => aborted.push('third'));
    stops[1]?.();
    bench.local.forget({ ref, epoch: 0 });
    expect([aborted, bench.local.size]).toEqual([['third'], 0]);
  });

  it('that is no longer followed leaves the streams and the next signal as they are', () => {
    const bench = new Bench();
    bench.local.streamOpened(ref);
    const stop = onAbort(bench.signal(), () => undefined);
    bench.local.changed({ ...blankRecord(ref, 'connection', 'anonymous', 0), epoch: 1 });
    const next = bench.signal(1);
    stop();
    expect([bench.signal(1), bench.local.presenceOf(ref).openStreams]).toEqual([next, 1]);
    onAbort(next, () => undefined)();
    expect([next.aborted, bench.local.presenceOf(ref).openStreams]).toEqual([false, 1]);
  });

  it('is one for each epoch, and aborts when a later epoch is seen', () => {
    const bench = new Bench();
    const [first, again] = [bench.signal(), bench.signal()];
    expect(again).toBe(first);
    bench.local.changed({ ...blankRecord(ref, 'connection', 'anonymous', 0), epoch: 1 });
    expect(first.aborted).toBe(true);
    expect([bench.signal(0).aborted, bench.signal(1).aborted]).toEqual([true, false]);
    const second = bench.signal(1);
    expect(bench.signal(2).aborted).toBe(false);
    expect(second.aborted).toBe(true);
  });

  it('is aborted from the start if the record has a later epoch [security 10]', () => {
    const bench = new Bench({ epoch: 3 });
    expect(bench.signal(2).reason).toMatchObject({ code: 'signed_out' });
    expect(bench.signal(3).aborted).toBe(false);
  });

  it.each([
    { what: 'has ended', record: undefined },
    {
      what: 'has a later epoch',
      record: { ...blankRecord(ref, 'connection', 'anonymous', 0), epoch: 1 },
    },
  ])('aborts when the store says, late, that the session $what [security 10]', async ({ record }) => {
    const bench = new Bench();
    const late = lateAnswer();
    bench.answer = () => late.answer;
    const signal = bench.signal();
    expect(signal.aborted).toBe(false);
    late.give(record);
    await bench.clock.advance(0);
    expect(signal.aborted).toBe(true);
    expect(bench.local.size).toBe(record ? 1 : 0);
  });

  it('of a later epoch is not aborted by the end of an earlier one', () => {
    const bench = new Bench({ epoch: 5 });
    const signal = bench.signal(5);
    bench.local.forget({ ref, epoch: 4 });
    expect([signal.aborted, bench.local.size]).toEqual([false, 1]);
    bench.local.forget({ ref, epoch: 5 });
    expect([signal.aborted, bench.local.size]).toEqual([true, 0]);
  });

  it('is kept if the store does not answer, which is reported', async () => {
    const bench = new Bench();
    const error = storeUnavailable(new Error('down'));
    bench.answer = () => Promise.reject(error);
    const signal = bench.signal();
    await bench.clock.advance(0);
    expect([signal.aborted, bench.errors]).toEqual([false, [error]]);
    bench.answer = undefined;
    bench.record = undefined;
    bench.read();
    expect(signal.aborted).toBe(true);
  });
});
