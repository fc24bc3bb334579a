import { describe, expect, it } from 'vitest';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import type { SessionStore } from '../../packages/sessions/src/session/session-store.js';

function recordOf(ref: string, fields: Partial<SessionRecord> = {}): SessionRecord {
  return {
    ref: ref as SessionRef,
    version: 1,
    stamps: [],
    kind: 'connection',
    owner: 'holder',
    createdAtMs: 0,
    lastRequestAtMs: 0,
    epoch: 0,
    generation: 0,
    accounts: {},
    ...fields,
  };
}

/** What every store guarantees, also when many call it at once. */
export function describeSessionStore(name: string, createStore: () => SessionStore): void {
  describe(`the session store ${name}`, () => {
    it('gives back what was put in', async () => {
      const store = createStore();
      expect(await store.insert(recordOf('a', { owner: 'me' }))).toBe(true);
      expect(await store.get(recordOf('a').ref)).toEqual(recordOf('a', { owner: 'me' }));
      expect(await store.get(recordOf('b').ref)).toBeUndefined();
    });

    it('takes in one of many records for the same reference', async () => {
      const store = createStore();
      const inserted = await Promise.all(
        Array.from({ length: 20 }, (_, index) => store.insert(recordOf('a', { owner: `${index}` }))),
      );
      expect(inserted.filter(Boolean)).toHaveLength(1);
      const winner = inserted.indexOf(true);
      expect(await store.get(recordOf('a').ref)).toMatchObject({ owner: `${winner}` });
    });

    it('replaces a record by its direct successor only, also with concurrent calls', async () => {
      const store = createStore();
      await store.insert(recordOf('a'));
      expect(await store.replace(recordOf('a', { version: 3 }))).toBe(false);
      expect(await store.replace(recordOf('a', { version: 1 }))).toBe(false);
      const replaced = await Promise.all(
        Array.from({ length: 20 }, (_, epoch) => store.replace(recordOf('a', { version: 2, epoch }))),
      );
      expect(replaced.filter(Boolean)).toHaveLength(1);
      const winner = replaced.indexOf(true);
      expect(await store.get(recordOf('a').ref)).toMatchObject({ version: 2, epoch: winner });
    });

    it('loses no change of those who try again until theirs fits', async () => {
      const store = createStore();
      const { ref } = recordOf('a');
      await store.insert(recordOf('a'));
      const increment = async (): Promise<void> => {
        const before = await store.get(ref);
        if (!before) throw new Error('The record is gone.');
        const after = { ...before, version: before.version + 1, epoch: before.epoch + 1 };
        if (!(await store.replace(after))) await increment();
      };
      await Promise.all(Array.from({ length: 20 }, increment));
      expect(await store.get(ref)).toMatchObject({ epoch: 20, version: 21 });
    });

    it('does not bring a record back that is gone', async () => {
      const store = createStore();
      await store.insert(recordOf('a'));
      await store.take(recordOf('a').ref);
      expect(await store.replace(recordOf('a', { version: 2 }))).toBe(false);
      await store.touch(recordOf('a').ref, 10);
      expect(await store.get(recordOf('a').ref)).toBeUndefined();
    });

    it('gives a record that is taken out to one of many', async () => {
      const store = createStore();
      await store.insert(recordOf('a'));
      const taken = await Promise.all(Array.from({ length: 20 }, () => store.take(recordOf('a').ref)));
      expect(taken.filter(Boolean)).toHaveLength(1);
    });

    it('moves the time of the last request forward and never back, whatever else changes', async () => {
      const store = createStore();
      const { ref } = recordOf('a');
      await store.insert(recordOf('a'));
      await Promise.all([30, 10, 20].map((atMs) => store.touch(ref, atMs)));
      expect(await store.get(ref)).toMatchObject({ lastRequestAtMs: 30, version: 1 });
      await store.replace(recordOf('a', { version: 2, lastRequestAtMs: 5 }));
      expect(await store.get(ref)).toMatchObject({ lastRequestAtMs: 30, version: 2 });
    });
  });
}
