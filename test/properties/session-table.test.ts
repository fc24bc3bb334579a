import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import {
  type AccountRecord,
  blankRecord,
  type SessionRecord,
} from '../../packages/sessions/src/session/session-record.js';
import { DueWheel } from '../../packages/sessions/src/store/table/due-wheel.js';
import { type Packable, Packer } from '../../packages/sessions/src/store/table/packed.js';
import { RefIndex } from '../../packages/sessions/src/store/table/ref-index.js';
import { SealedPlaces } from '../../packages/sessions/src/store/table/sealed-places.js';
import { SessionTable } from '../../packages/sessions/src/store/table/session-table.js';
import { Slab } from '../../packages/sessions/src/store/table/slab.js';
import { textHash } from '../../packages/sessions/src/store/table/text-hash.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import type { SealedRecord } from '../../packages/sessions/src/vault/vault.js';

const SECOND = 1000;
const LIMITS = { maxSessions: 1000, maxAnonymous: 1000 };
const DAY = 24 * 3600 * SECOND;

/** @param between called with the number of each page that is followed by another one */
function pagesOf(table: SessionTable, between: (page: number) => void = () => undefined): SessionRef[][] {
  const pages: SessionRef[][] = [];
  for (let page = table.refs(); ; page = table.refs(page.next)) {
    pages.push([...page.refs]);
    if (page.next === undefined) return pages;
    between(pages.length - 1);
  }
}

// What a text of several characters can be, lone surrogates included.
const texts = fc.array(fc.oneof(fc.nat({ max: 0xff }), fc.nat({ max: 0xffff }))).map((codes) => {
  return String.fromCharCode(...codes);
});
const numbers = fc.oneof(fc.double(), fc.nat(), fc.nat({ max: 300 }), fc.nat({ max: 2 ** 31 }));
const packables = fc.letrec<{ value: Packable }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    texts,
    numbers,
    fc.boolean(),
    fc.constantFrom(undefined, 'known', 'another'),
    // Absent fields at the end of a list take no space.
    fc.array(tie('value')).map((list) => [...list, 'end']),
    fc.dictionary(texts, tie('value')),
  ),
})).value;

describe('packed values', () => {
  it('are those that were packed', () => {
    const packer = new Packer(['known', 'another']);
    fc.assert(
      fc.property(packables, (value) => {
        expect(packer.unpack(packer.pack(value))).toEqual(value);
      }),
    );
  });

  it('have no absent fields at the end of a list', () => {
    const packer = new Packer([]);
    expect(packer.unpack(packer.pack([undefined, 'a', undefined, undefined]))).toEqual([undefined, 'a']);
    expect(packer.pack(['a', undefined, undefined])).toHaveLength(packer.pack(['a']).length);
  });
});

describe('a packed record', () => {
  const times = fc.oneof(fc.double({ noNaN: true }), fc.nat());
  const words = fc.dictionary(fc.string(), fc.string());
  // A type without optional fields, so that none can be left out here.
  const accountFields: { [Name in keyof Required<AccountRecord>]: fc.Arbitrary<AccountRecord[Name]> } = {
    provider: fc.constant('idp'),
    state: fc.constantFrom('authenticated', 'reauthentication_required'),
    failureReason: fc.constantFrom(undefined, 'grant_revoked', 'provider_logout'),
    generation: fc.nat(),
    grantId: fc.maxSafeNat(),
    claim: fc.option(fc.record({ id: fc.maxSafeNat(), untilMs: times }), { nil: undefined }),
    subject: fc.string(),
    name: fc.option(fc.string(), { nil: undefined }),
    scopes: fc.array(fc.string()),
    refusedScopes: fc.option(fc.array(fc.string()), { nil: undefined }),
    sealed: fc.constant(undefined),
    hasRefreshToken: fc.boolean(),
    expiresAtMs: fc.option(times, { nil: undefined }),
    refreshAtMs: fc.option(times, { nil: undefined }),
    lifetimeMs: fc.option(times, { nil: undefined }),
    refreshExpiresAtMs: fc.option(times, { nil: undefined }),
    failures: fc.option(fc.nat(), { nil: undefined }),
    fields: fc.option(words, { nil: undefined }),
    apiOrigin: fc.option(fc.string(), { nil: undefined }),
    openIdSubject: fc.option(fc.string(), { nil: undefined }),
    providerSession: fc.option(fc.string(), { nil: undefined }),
    stepUp: fc.option(fc.record({ scopes: fc.array(fc.string()), claims: fc.string() }), { nil: undefined }),
    refusal: fc.constantFrom(undefined, 'declined', 'failed'),
    answeredClaims: fc.option(fc.record({ kind: fc.string(), atMs: times }), { nil: undefined }),
    tokenRejected: fc.constantFrom(undefined, true),
    isExpiryAnnounced: fc.constantFrom(undefined, true),
  };
  const recordFields: { [Name in keyof Required<SessionRecord>]: fc.Arbitrary<SessionRecord[Name]> } = {
    ref: fc.string({ minLength: 1 }).map((ref) => ref as SessionRef),
    version: fc.maxSafeNat(),
    kind: fc.constantFrom('connection', 'handle', 'pending-handle', 'owner-session', 'owned-connection'),
    owner: fc.string(),
    quotaKey: fc.string(),
    createdAtMs: times,
    lastRequestAtMs: times,
    dueAtMs: fc.oneof(times, fc.constant(Number.POSITIVE_INFINITY)),
    signedInAtMs: fc.option(times, { nil: undefined }),
    epoch: fc.nat(),
    generation: fc.nat(),
    signedOut: fc.constantFrom(undefined, 'idle', 'logout'),
    accounts: fc.option(fc.record(accountFields)).map((account) => (account ? { idp: account } : {})),
    formerSubjects: fc.option(words, { nil: undefined }),
    state: fc.constant(undefined),
    session: fc.option(
      fc.string().map((ref) => ref as SessionRef),
      { nil: undefined },
    ),
    subjectKey: fc.option(fc.string(), { nil: undefined }),
    isExpiryAnnounced: fc.constantFrom(undefined, true),
  };

  it('has all fields of the record that was written, also if others were read in the meantime', () => {
    const table = new SessionTable({ clock: new VirtualClock(), isPresent: () => false });
    const others = Array.from({ length: 512 }, (_, index) => `other ${index}` as SessionRef);
    for (const other of others) table.insert(blankRecord(other, 'connection', 'holder', 0), LIMITS);
    fc.assert(
      fc.property(fc.record(recordFields), (record) => {
        table.insert(record, LIMITS);
        expect(table.get(record.ref)).toEqual(record);
        // Only so many unpacked records are kept.
        for (const other of others) table.get(other);
        expect(table.get(record.ref)).toEqual(record);
        expect(new Set(pagesOf(table).flat())).toEqual(new Set([record.ref, ...others]));
        table.take(record.ref, 'deleted');
      }),
      { numRuns: 30 },
    );
  });
});

describe('the pages of references', () => {
  it('have each session once that exists from the first to the last, whatever comes and goes in between', () => {
    const change = fc.record({ at: fc.nat({ max: 5 }), number: fc.nat({ max: 1200 }) });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1200 }), fc.array(change), (count, changes) => {
        const table = new SessionTable({ clock: new VirtualClock(), isPresent: () => false });
        const limits = { maxSessions: 5000, maxAnonymous: 5000 };
        const begin = (name: string) =>
          table.insert(blankRecord(name as SessionRef, 'connection', 'holder', 0), limits);
        const lasting = new Set<string>();
        for (let number = 0; number < count; number++) {
          begin(`${number}`);
          lasting.add(`${number}`);
        }
        const pages = pagesOf(table, (page) => {
          for (const { at, number } of changes) {
            if (at !== page) continue;
            table.take(`${number}` as SessionRef, 'deleted');
            lasting.delete(`${number}`);
            begin(`${page} new ${number}`);
          }
        });
        const seen = pages.flat().filter((ref) => lasting.has(ref));
        expect(seen.sort()).toEqual([...lasting].sort());
        expect(Math.max(...pages.map(({ length }) => length))).toBeLessThanOrEqual(64);
      }),
      { numRuns: 20 },
    );
  });
});

describe('the index of references', () => {
  const all = Array.from({ length: 12 }, (_, index) => `ref ${index}` as SessionRef);
  const step = fc.record({ kind: fc.constantFrom('add', 'delete'), ref: fc.constantFrom(...all) });

  it('finds the row of each reference, also of those whose numbers are the same', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60, size: 'max' }),
        fc.integer({ min: 1, max: 4 }),
        (steps, numbers) => {
          const refOf = new Map<number, SessionRef>();
          const model = new Map<SessionRef, number>();
          const index = new RefIndex(
            (row, ref) => refOf.get(row) === ref,
            (ref) => textHash(ref) % numbers,
          );
          let rows = 0;
          // Rows are used again.
          const free: number[] = [];
          for (const { kind, ref } of steps) {
            const row = model.get(ref);
            if (kind === 'add' && row === undefined) {
              const added = free.pop() ?? ++rows;
              model.set(ref, added);
              refOf.set(added, ref);
              index.add(ref, added);
            } else if (kind === 'delete' && row !== undefined) {
              model.delete(ref);
              index.delete(ref, row);
              refOf.delete(row);
              free.push(row);
            }
            expect(index.size).toBe(model.size);
            expect(all.map((each) => index.rowOf(each))).toEqual(all.map((each) => model.get(each)));
          }
        },
      ),
    );
  });
});

/** References whose numbers are the same, in pairs. */
function collidingRefs(pairs: number): SessionRef[] {
  const seen = new Map<number, string>();
  const found: string[] = [];
  for (let index = 0; found.length < 2 * pairs; index++) {
    const ref = `ref ${index}`;
    // The index uses 30 bits.
    const number = textHash(ref) >>> 2;
    const other = seen.get(number);
    if (other !== undefined) found.push(other, ref);
    seen.set(number, ref);
  }
  return found as SessionRef[];
}

describe('a slab', () => {
  const sizes = fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 5000 }), fc.nat({ max: 300_000 }));
  const steps = fc.array(
    fc.oneof(
      { weight: 2, arbitrary: sizes.map((size) => ({ size })) },
      fc.nat().map((freed) => ({ freed })),
    ),
    { maxLength: 30, size: 'max' },
  );

  it('keeps each byte string apart from all others, and zero before and after [security 31]', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const slab = new Slab();
        const kept: { place: number; fill: number; size: number }[] = [];
        const check = () => {
          for (const { place, fill, size } of kept) {
            const held = slab.at(place);
            expect(held).toHaveLength(size);
            expect(held.equals(Buffer.alloc(size, fill))).toBe(true);
          }
        };
        for (const [index, step] of taken.entries()) {
          if ('size' in step) {
            const place = slab.allocate(step.size);
            expect(kept.map((each) => each.place)).not.toContain(place);
            expect(slab.at(place).equals(Buffer.alloc(step.size))).toBe(true);
            const fill = (index % 255) + 1;
            slab.at(place).fill(fill);
            kept.push({ place, fill, size: step.size });
          } else {
            const [freed] = kept.splice(step.freed % Math.max(kept.length, 1), 1);
            if (!freed) continue;
            const view = slab.at(freed.place);
            slab.free(freed.place);
            expect(view.equals(Buffer.alloc(freed.size))).toBe(true);
            expect(slab.stampOf(freed.place)).toBe(0);
          }
          check();
        }
      }),
      { numRuns: 20 },
    );
  });

  it('returns its memory when it is empty', () => {
    const slab = new Slab();
    const places = Array.from({ length: 3000 }, () => slab.allocate(2100));
    expect(slab.reservedBytes).toBeGreaterThan(3000 * 2100);
    for (const place of places) slab.free(place);
    expect(slab.reservedBytes).toBeLessThan(300_000);
  });

  it('keeps one empty chunk at most, whatever sizes it has held', () => {
    const slab = new Slab();
    slab.free(slab.allocate(1));
    const chunkBytes = slab.reservedBytes;
    const places = Array.from({ length: 100 }, (_, index) => slab.allocate(1 + index * 16));
    for (const place of places) slab.free(place);
    expect(slab.reservedBytes).toBeLessThanOrEqual(chunkBytes);
    slab.free(slab.allocate(1000));
    expect(slab.reservedBytes).toBeLessThanOrEqual(chunkBytes);
  });
});

describe('the timing wheel', () => {
  const waits = fc.oneof(
    fc.nat({ max: 300 }),
    fc.nat({ max: 60 * SECOND }),
    fc.nat({ max: 40 * DAY }),
    fc.nat({ max: 4000 * DAY }),
  );
  const step = fc.oneof(
    fc.record({ row: fc.integer({ min: 1, max: 12 }), waitMs: waits }),
    fc.record({ row: fc.integer({ min: 1, max: 12 }), waitMs: fc.constant(Number.POSITIVE_INFINITY) }),
    fc.record({ advanceMs: waits }),
    fc.record({ jumpMs: fc.nat({ max: 2 * DAY }) }),
  );

  it('hands each row over once, at its time, whatever is set and deleted meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const clock = new VirtualClock();
        const wheel = new DueWheel(clock);
        const due = new Map<number, number>();
        const far = new Set<number>();
        wheel.consume((row) => {
          const atMs = due.get(row);
          if (atMs === undefined) throw new Error('This row is not due.');
          if (clock.now() < atMs) {
            expect(far).toContain(row);
            wheel.set(row, atMs);
          } else {
            due.delete(row);
            wheel.delete(row);
          }
        });
        for (const taken of steps) {
          if ('row' in taken) {
            const atMs = clock.now() + taken.waitMs;
            wheel.set(taken.row, atMs);
            // What is due in more than three years may come early.
            far[taken.waitMs > 3 * 365 * DAY ? 'add' : 'delete'](taken.row);
            if (taken.waitMs === Number.POSITIVE_INFINITY) due.delete(taken.row);
            else due.set(taken.row, atMs);
          } else if ('jumpMs' in taken) clock.jump(taken.jumpMs);
          else {
            await clock.advance(taken.advanceMs);
            for (const [, atMs] of due) expect(atMs).toBeGreaterThan(clock.now() - 100);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('has one timer, however often rows are set later or deleted', () => {
    const clock = new VirtualClock();
    let started = 0;
    const after = (delayMs: number, run: () => void) => {
      started++;
      return clock.after(delayMs, run);
    };
    const wheel = new DueWheel({ now: () => clock.now(), after });
    wheel.consume(() => undefined);
    wheel.set(1, DAY);
    for (let row = 2; row <= 100; row++) {
      wheel.set(row, DAY);
      wheel.set(row, (row + 1) * DAY);
      if (row % 2 === 0) wheel.delete(row);
    }
    expect([started, clock.timers]).toEqual([1, 1]);
  });

  it('lets the event loop continue while many rows are due, and hands over all of them', async () => {
    const clock = new VirtualClock();
    const wheel = new DueWheel(clock);
    const handed = new Set<number>();
    let inThisTurn = 0;
    let mostInATurn = 0;
    wheel.consume((row) => {
      handed.add(row);
      wheel.delete(row);
      if (inThisTurn++ === 0)
        setImmediate(() => {
          inThisTurn = 0;
        });
      mostInATurn = Math.max(mostInATurn, inThisTurn);
    });
    for (let row = 1; row <= 2000; row++) wheel.set(row, 30 * SECOND);
    clock.jump(60 * SECOND);
    await clock.advance(0);
    expect(handed.size).toBe(2000);
    expect(mostInATurn).toBeLessThanOrEqual(32);
  });
});

/** What a session has sealed, as it should be. */
interface Expected {
  readonly ref: SessionRef;
  readonly fills: Readonly<Record<string, { fill: number; size: number } | undefined>>;
}

describe('the sealed tokens of a table', () => {
  const refs = fc.constantFrom(...collidingRefs(2), ...'ab').map((ref) => ref as SessionRef);
  const seal = fc.record({ size: fc.oneof(fc.nat({ max: 60 }), fc.nat({ max: 70_000 })) });
  const seals = fc.record({ idp: fc.option(seal), other: fc.option(seal), state: fc.option(seal) });
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('write' as const), ref: refs, seals }) },
    fc.record({ kind: fc.constant('keep' as const), ref: refs }),
    fc.record({ kind: fc.constant('take' as const), ref: refs }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat({ max: 6000 }) }),
  );

  it('are those of each session, whatever comes and goes, and zero when it has ended [security 30, 31]', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const clock = new VirtualClock();
        const table = new SessionTable({ clock, isPresent: () => false });
        const expected = new Map<SessionRef, Expected>();
        const dropped: { sealed: SealedRecord; fill: number; size: number; untilMs: number }[] = [];
        let fill = 0;
        const sealOf = (given: { size: number } | null) => {
          if (!given) return undefined;
          fill = (fill % 255) + 1;
          return { salt: Buffer.alloc(32, fill), bytes: Buffer.alloc(given.size, fill) };
        };
        const noteDropped = (record: SessionRecord | undefined) => {
          if (!record) return;
          for (const { sealed, size, filled } of sealsOf(record, expected.get(record.ref))) {
            dropped.push({ sealed, size, fill: filled, untilMs: clock.now() + 5 * SECOND });
          }
        };
        for (const taken of steps) {
          if (taken.kind === 'wait') await clock.advance(taken.ms);
          else if (taken.kind === 'take') {
            noteDropped(table.take(taken.ref, 'deleted'));
            expected.delete(taken.ref);
          } else if (taken.kind === 'keep') {
            const record = table.get(taken.ref);
            if (record) table.replace({ ...record, version: record.version + 1, epoch: 1 }, record.version);
          } else {
            const [idp, other, state] = [
              sealOf(taken.seals.idp),
              sealOf(taken.seals.other),
              sealOf(taken.seals.state),
            ];
            const sources = [idp, other, state].filter((each) => each !== undefined);
            const fillsOf = (each: typeof idp) =>
              each && { fill: each.salt[0] ?? 0, size: each.bytes.length };
            const fills = { idp: fillsOf(idp), other: fillsOf(other), state: fillsOf(state) };
            const before = table.get(taken.ref);
            const next: SessionRecord = {
              ...(before ?? blankRecord(taken.ref, 'connection', 'holder', 0)),
              version: (before?.version ?? 0) + 1,
              accounts: {
                ...(idp && { idp: accountWith('idp', idp) }),
                ...(other && { other: accountWith('other', other) }),
              },
              state: state && { version: 1, sealed: state },
            };
            noteDropped(before);
            if (before) expect(table.replace(next, before.version)).toBe(true);
            else expect(table.insert(next, LIMITS).kind).toBe('inserted');
            expected.set(taken.ref, { ref: taken.ref, fills });
            // The table has taken them over.
            for (const { salt, bytes } of sources) {
              expect(salt.equals(Buffer.alloc(32))).toBe(true);
              expect(bytes.equals(Buffer.alloc(bytes.length))).toBe(true);
            }
          }
          for (const each of expected.values()) {
            const record = table.get(each.ref);
            if (!record) throw new Error('A session is lost.');
            for (const { sealed, size, filled } of sealsOf(record, each)) expectHeld(sealed, size, filled);
          }
          for (const { sealed, size, fill: filled, untilMs } of dropped) {
            if (clock.now() < untilMs) expectHeld(sealed, size, filled);
            else if (clock.now() > untilMs) expect([sealed.salt.length, sealed.bytes.length]).toEqual([0, 0]);
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  it('leave their place as soon as they are wiped, if their session has them no longer [security 31]', async () => {
    const clock = new VirtualClock();
    const slab = new Slab();
    const places = new SealedPlaces(clock, slab);
    const take = () => places.take({ salt: Buffer.alloc(32, 1), bytes: Buffer.alloc(100, 1) });
    const place = take();
    const early = places.at(place);
    early.wiped?.();
    expect(early.bytes.equals(Buffer.alloc(100, 1))).toBe(true);
    places.drop(place);
    early.wiped?.();
    expect([slab.stampOf(place), clock.timers]).toEqual([0, 0]);
    // The next session has the same place. What was read of the one before does not wipe it.
    const next = take();
    expect(next).toBe(place);
    places.drop(next);
    early.wiped?.();
    expect(places.at(next).bytes.equals(Buffer.alloc(100, 1))).toBe(true);
    await clock.advance(5 * SECOND);
    expect([slab.stampOf(next), clock.timers]).toEqual([0, 0]);
  });

  it('are wiped in turns with other work, however many sessions have ended at once [security 31]', async () => {
    const clock = new VirtualClock();
    const slab = new Slab();
    const places = new SealedPlaces(clock, slab);
    const dropped = Array.from({ length: 3000 }, () =>
      places.take({ salt: Buffer.alloc(0), bytes: Buffer.alloc(1) }),
    );
    for (const place of dropped) places.drop(place);
    const left = () => dropped.filter((place) => slab.stampOf(place) !== 0).length;
    const seen: number[] = [];
    const look = () => {
      seen.push(left());
      if (left() > 0) clock.after(0, look);
    };
    clock.after(5 * SECOND, look);
    await clock.advance(5 * SECOND);
    expect([left(), clock.timers]).toEqual([0, 0]);
    expect(Math.min(...seen.filter((count) => count > 0))).toBeLessThan(1000);
    expect(seen[0]).toBeGreaterThan(1900);
  });

  it('can be wiped by a caller that has read them before the session has changed [security 31]', () => {
    const table = new SessionTable({ clock: new VirtualClock(), isPresent: () => false });
    const sealed = { salt: Buffer.alloc(32, 1), bytes: Buffer.alloc(100, 1) };
    const ref = 'a' as SessionRef;
    const blank = blankRecord(ref, 'handle', 'holder', 0);
    table.insert({ ...blank, accounts: { idp: accountWith('idp', sealed) } }, LIMITS);
    const before = table.get(ref)?.accounts.idp?.sealed;
    if (!before) throw new Error('It is sealed.');
    const memory = Buffer.from(before.bytes.buffer);
    expect(memory.includes(Buffer.alloc(100, 1))).toBe(true);
    table.take(ref, 'logout');
    before.salt.fill(0);
    before.bytes.fill(0);
    expect(memory.includes(Buffer.alloc(30, 1))).toBe(false);
  });

  it('are wiped some seconds after the end of a session that no caller has wiped [security 31]', async () => {
    const clock = new VirtualClock();
    const table = new SessionTable({ clock, isPresent: () => false });
    const ref = 'a' as SessionRef;
    const sealed = { salt: Buffer.alloc(32, 1), bytes: Buffer.alloc(100, 1) };
    const blank = blankRecord(ref, 'handle', 'holder', 0);
    table.insert({ ...blank, accounts: { idp: accountWith('idp', sealed) } }, LIMITS);
    const memory = Buffer.from(table.get(ref)?.accounts.idp?.sealed?.bytes.buffer ?? new ArrayBuffer(0));
    table.take(ref, 'logout');
    await clock.advance(4 * SECOND);
    expect(memory.includes(Buffer.alloc(100, 1))).toBe(true);
    await clock.advance(SECOND);
    expect(memory.includes(Buffer.alloc(30, 1))).toBe(false);
  });
});

function accountWith(provider: string, sealed: SealedRecord): AccountRecord {
  const state = 'authenticated';
  return {
    provider,
    state,
    generation: 1,
    grantId: 1,
    subject: 'alice',
    scopes: [],
    hasRefreshToken: true,
    sealed,
  };
}

/** The sealed records of a session, with what they should hold. */
function sealsOf(record: SessionRecord, expected: Expected | undefined) {
  const { accounts, state } = record;
  const all = { idp: accounts.idp?.sealed, other: accounts.other?.sealed, state: state?.sealed };
  return Object.entries(expected?.fills ?? {}).flatMap(([name, fills]) => {
    const sealed = all[name as keyof typeof all];
    expect(sealed === undefined).toBe(fills === undefined);
    return sealed && fills ? [{ sealed, size: fills.size, filled: fills.fill }] : [];
  });
}

function expectHeld(sealed: SealedRecord, size: number, fill: number): void {
  expect(sealed.salt.equals(Buffer.alloc(32, fill))).toBe(true);
  expect(sealed.bytes.equals(Buffer.alloc(size, fill))).toBe(true);
}
