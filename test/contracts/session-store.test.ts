import { describe, expect, it } from 'vitest';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import { blankRecord } from '../../packages/sessions/src/session/session-record.js';
import { SessionTable } from '../../packages/sessions/src/store/table/session-table.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { Deadlines } from '../../packages/sessions/src/time/deadlines.js';
import { MapSessionStore } from '../support/map-session-store/map-session-store.js';
import { describeSessionStore, type StoreUnderTest } from './session-store-contract.js';

class MapUnderTest implements StoreUnderTest {
  readonly #clock = new VirtualClock();
  readonly present = new Set<SessionRef>();
  readonly store = new MapSessionStore({
    clock: this.#clock,
    deadlines: new Deadlines(this.#clock, (error) => {
      throw error;
    }),
    isPresent: (ref) => this.present.has(ref),
  });
  readonly now = (): number => this.#clock.now();
  readonly advance = (ms: number): Promise<void> => this.#clock.advance(ms);
  readonly settle: StoreUnderTest['settle'] = async (answer) => answer;
}

class TableUnderTest implements StoreUnderTest {
  readonly #clock = new VirtualClock();
  readonly present = new Set<SessionRef>();
  readonly store = new SessionTable({ clock: this.#clock, isPresent: (ref) => this.present.has(ref) });
  readonly now = (): number => this.#clock.now();
  readonly advance = (ms: number): Promise<void> => this.#clock.advance(ms);
  readonly settle: StoreUnderTest['settle'] = async (answer) => answer;
}

describeSessionStore('of a Map', () => new MapUnderTest());
describeSessionStore('of a table', () => new TableUnderTest());

describe.each([
  { name: 'of a Map', UnderTest: MapUnderTest },
  { name: 'of a table', UnderTest: TableUnderTest },
])('the session store $name', ({ UnderTest }) => {
  const LIMITS = { maxSessions: 20_000, maxAnonymous: 20_000 };
  // The brand is given in the library only; here any text will do.
  const refOf = (number: number) => `session ${number}` as SessionRef;
  const record = (number: number) => blankRecord(refOf(number), 'connection', 'holder', 0);

  it('answers in the same tick', () => {
    const { store } = new UnderTest();
    const answers = [
      store.insert(record(1), LIMITS),
      store.get(refOf(1)),
      store.visit(refOf(1), 1, 1000),
      store.replace({ ...record(1), version: 2 }, 1),
      store.postpone(refOf(1), 1),
      store.refs(),
      store.take(refOf(1), 'idle'),
      store.endReasonOf(refOf(1)),
    ];
    expect(answers.filter((answer) => answer instanceof Promise)).toEqual([]);
    expect(answers.at(-1)).toBe('idle');
  });

  it('keeps ten thousand reasons of ends; a further one replaces the oldest [security 38]', () => {
    const { store } = new UnderTest();
    for (let number = 1; number <= 10_001; number++) {
      if (number === 10_001) expect(store.endReasonOf(refOf(1))).toBe('deleted');
      store.insert(record(number), LIMITS);
      store.take(refOf(number), 'deleted');
    }
    expect(store.endReasonOf(refOf(1))).toBeUndefined();
    expect(store.endReasonOf(refOf(2))).toBe('deleted');
    expect(store.endReasonOf(refOf(10_001))).toBe('deleted');
  });
});
