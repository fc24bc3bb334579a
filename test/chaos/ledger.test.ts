import { describe, expect, it } from 'vitest';
import { type Call, type FaultKind, Ledger } from './ledger.js';
import type { TokenEvent } from './token-events.js';

/** A ledger whose time is that of the test, and a user who has logged in at time 0. */
function setUp(era: '2025' | '2026' = '2026') {
  let nowMs = 0;
  const ledger = new Ledger(() => nowMs);
  const token = (event: Partial<TokenEvent> & Pick<TokenEvent, 'kind'>) =>
    ledger.token({
      grant: 'grant',
      user: 'alice',
      node: 'a',
      sent: 'first',
      isGranted: true,
      atMs: nowMs,
      ...event,
    } as TokenEvent);
  token({ kind: 'login' });
  ledger.loggedIn({ user: 'alice', era, node: 'a' });
  const refresh = (node: string, isGranted = true, sent = 'first') =>
    token({ kind: 'refresh', node, isGranted, sent });
  const use = () => token({ kind: 'use' });
  const call = (outcome: Call['outcome'], node = 'a') =>
    ledger.called({ user: 'alice', fromMs: nowMs, toMs: nowMs, node, outcome, text: 'what it received' });
  const during = (kind: FaultKind, node: string | undefined, durationMs: number) => {
    const fault = ledger.began({ kind, node });
    nowMs += durationMs;
    ledger.isOver(fault);
  };
  const pass = (durationMs: number) => {
    nowMs += durationMs;
    return nowMs;
  };
  return { ledger, refresh, use, call, during, pass };
}

describe('a refresh token that is sent twice', () => {
  it('is a violation unless its first server was stopped, also if another one was', () => {
    const { ledger, refresh, during, pass } = setUp();
    refresh('a');
    during('server killed', 'b', 1000);
    pass(60_000);
    refresh('b', false);
    expect(ledger.violations).toEqual([
      'server b sent a refresh token of alice that server a had sent 61000 ms before, although it was not stopped',
    ]);
  });

  it('is a violation if it comes too early', () => {
    const { ledger, refresh, during } = setUp();
    refresh('a');
    during('server killed', 'a', 6000);
    refresh('b', false);
    expect(ledger.violations).toEqual([expect.stringContaining('6000 ms before, which is too early')]);
  });

  it('explains a lost login after a minute, if its first server was stopped', () => {
    const { ledger, refresh, during, pass } = setUp();
    refresh('a');
    during('server paused', 'a', 60_000);
    pass(1000);
    refresh('b', false);
    ledger.lost('alice', 'log in again');
    expect(ledger.violations).toEqual([]);
    expect(String(ledger)).toContain('logins lost: answer to a refresh lost, server paused: 1');
  });
});

describe('a lost login', () => {
  it('is a violation without a cause', () => {
    const { ledger, during } = setUp();
    during('engine connections cut', 'a', 1000);
    during('server killed', 'a', 1000);
    ledger.lost('alice', 'log in again');
    expect(ledger.violations).toEqual(['the login of alice (2026, grant grant) was lost: log in again']);
  });

  it('may be one of a 2025 connection whose server was killed', () => {
    const { ledger, during } = setUp('2025');
    during('server killed', 'a', 1000);
    ledger.lost('alice', 'unknown');
    expect(ledger.violations).toEqual([]);
  });

  it('may be one from before the engine was emptied, and not one from after that', () => {
    const { ledger, during, pass } = setUp();
    during('engine emptied', undefined, 1000);
    ledger.lost('alice', 'unknown');
    expect(ledger.violations).toEqual([]);
    pass(1000);
    ledger.loggedIn({ user: 'alice', era: '2026' });
    ledger.lost('alice', 'unknown');
    expect(ledger.violations).toHaveLength(1);
  });
});

describe('a refresh', () => {
  it('is a violation if the client that listens is not told before the next one, unless a server had a fault', () => {
    const { ledger, refresh, use, during, pass } = setUp();
    ledger.listens('alice', 'b');
    const untold = () => {
      pass(1000);
      refresh('a', true, `token ${pass(0)}`);
      use();
    };
    untold();
    ledger.told('alice');
    untold();
    during('engine connections cut', 'c', 1000);
    expect(ledger.untold).toEqual(['alice']);
    untold();
    expect(ledger.violations).toEqual(['alice at server b was not told of the refresh by server a']);
    during('engine connections cut', 'b', 1000);
    untold();
    expect(ledger.violations).toHaveLength(1);
  });
});

describe('a call that fails', () => {
  it('is a violation unless its own server, or the engine, had a fault meanwhile', () => {
    const { ledger, call, during, pass } = setUp();
    during('server killed', 'a', 1000);
    call('broken');
    expect(ledger.violations).toEqual([]);
    call('broken', 'b');
    pass(1);
    call('broken');
    during('engine paused', undefined, 1000);
    call('broken');
    expect(ledger.violations).toHaveLength(3);
  });

  it('may be answered with 503 some times without a fault, and not on and on', () => {
    const { ledger, call } = setUp();
    for (let repeats = 0; repeats < 4; repeats++) call('unavailable');
    call('answered');
    for (let repeats = 0; repeats < 4; repeats++) call('unavailable');
    expect(ledger.violations).toEqual([]);
    call('unavailable');
    expect(ledger.violations).toHaveLength(1);
  });

  it('may end with its 2025 connection only if the engine was emptied since the login', () => {
    const { ledger, call, during, pass } = setUp('2025');
    during('server killed', 'b', 1000);
    call('connection ended');
    expect(ledger.violations).toHaveLength(1);
    during('engine emptied', undefined, 1000);
    pass(500);
    call('connection ended');
    expect(ledger.violations).toHaveLength(1);
  });

  it('may lack a new access token only if there was a fault since the last refresh', () => {
    const { ledger, refresh, call, during, pass } = setUp();
    refresh('a');
    pass(1);
    during('server killed', 'b', 1000);
    pass(30_000);
    call('not renewed', 'c');
    expect(ledger.violations).toEqual([]);
    refresh('c');
    pass(1);
    call('not renewed', 'c');
    // The second refresh sends the same token.
    expect(ledger.violations).toHaveLength(2);
  });
});
