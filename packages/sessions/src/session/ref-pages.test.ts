import { describe, expect, it } from 'vitest';
import { storeUnavailable } from '../errors.js';
import { SessionTable } from '../store/table/session-table.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import type { SessionRef } from './ids.js';
import { refPages } from './ref-pages.js';
import { blankRecord } from './session-record.js';

const SESSIONS = 1000;
const LIMITS = { maxSessions: SESSIONS, maxAnonymous: SESSIONS };

describe('the pages of all sessions', () => {
  it('have each session once, and the event loop continues between them', async () => {
    const table = new SessionTable({ clock: new VirtualClock(), isPresent: () => false });
    const refs = Array.from({ length: SESSIONS }, (_, number) => `session ${number}` as SessionRef);
    for (const ref of refs) table.insert(blankRecord(ref, 'connection', 'holder', 0), LIMITS);
    const seen: SessionRef[] = [];
    let pages = 0;
    let turns = 0;
    for await (const page of refPages(table)) {
      expect(turns).toBe(pages++);
      seen.push(...page);
      setImmediate(() => turns++);
    }
    expect(seen).toEqual(refs);
    expect(pages).toBe(Math.ceil(SESSIONS / 64));
  });

  it('are one empty page without a session', async () => {
    const table = new SessionTable({ clock: new VirtualClock(), isPresent: () => false });
    const pages: (readonly SessionRef[])[] = [];
    for await (const page of refPages(table)) pages.push(page);
    expect(pages).toEqual([[]]);
  });

  it('fail when the store does, after those before', async () => {
    const pages = refPages({
      refs: (after) =>
        after === undefined ? { refs: [], next: 1 } : Promise.reject(storeUnavailable(new Error('down'))),
    });
    expect(await pages.next()).toEqual({ value: [], done: false });
    await expect(pages.next()).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
