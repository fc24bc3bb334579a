import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import { MapSessionStore } from '../../packages/sessions/src/store/map-session-store.js';

// The brand is given in the library only; here any text will do.
const refs = fc.constantFrom('a', 'b', 'c').map((ref) => ref as SessionRef);
const small = fc.nat({ max: 5 });
const records: fc.Arbitrary<SessionRecord> = fc.record({
  ref: refs,
  version: small,
  stamps: fc.array(fc.string(), { maxLength: 2 }),
  kind: fc.constant('connection'),
  owner: fc.string(),
  createdAtMs: small,
  lastRequestAtMs: small,
  epoch: small,
  generation: small,
  accounts: fc.constant({}),
});
const step = fc.oneof(
  fc.record({ kind: fc.constant('insert' as const), record: records }),
  fc.record({ kind: fc.constant('replace' as const), record: records, fits: fc.boolean() }),
  fc.record({ kind: fc.constant('touch' as const), ref: refs, atMs: small }),
  fc.record({ kind: fc.constant('get' as const), ref: refs }),
  fc.record({ kind: fc.constant('take' as const), ref: refs }),
);

/** A store as plain as its contract: a list that is searched. */
class PlainStore {
  records: SessionRecord[] = [];

  find(ref: SessionRef): SessionRecord | undefined {
    return this.records.find((record) => record.ref === ref);
  }

  put(record: SessionRecord): void {
    this.records = [...this.records.filter(({ ref }) => ref !== record.ref), record];
  }

  insert(record: SessionRecord): boolean {
    if (this.find(record.ref)) return false;
    this.put(record);
    return true;
  }

  replace(next: SessionRecord): boolean {
    const current = this.find(next.ref);
    if (!current || next.version - current.version !== 1) return false;
    const isLater = current.lastRequestAtMs > next.lastRequestAtMs;
    this.put(isLater ? { ...next, lastRequestAtMs: current.lastRequestAtMs } : next);
    return true;
  }

  touch(ref: SessionRef, atMs: number): void {
    const current = this.find(ref);
    if (current && atMs > current.lastRequestAtMs) this.put({ ...current, lastRequestAtMs: atMs });
  }

  take(ref: SessionRef): SessionRecord | undefined {
    const record = this.find(ref);
    this.records = this.records.filter((each) => each !== record);
    return record;
  }
}

describe('the store of a Map', () => {
  it('answers as a list does that is searched, whatever it is asked', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 50, size: 'max' }), async (sequence) => {
        const store = new MapSessionStore();
        const plain = new PlainStore();
        for (const asked of sequence) {
          if (asked.kind === 'get') expect(await store.get(asked.ref)).toEqual(plain.find(asked.ref));
          else if (asked.kind === 'take') expect(await store.take(asked.ref)).toEqual(plain.take(asked.ref));
          else if (asked.kind === 'touch') {
            await store.touch(asked.ref, asked.atMs);
            plain.touch(asked.ref, asked.atMs);
          } else if (asked.kind === 'insert') {
            expect(await store.insert(asked.record)).toBe(plain.insert(asked.record));
          } else {
            const { record, fits } = asked;
            const version = (plain.find(record.ref)?.version ?? 0) + 1;
            const next = fits ? { ...record, version } : record;
            expect(await store.replace(next)).toBe(plain.replace(next));
          }
          for (const record of plain.records) expect(await store.get(record.ref)).toEqual(record);
          expect(store.size).toBe(plain.records.length);
        }
      }),
    );
  });
});
