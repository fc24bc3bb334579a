import { describe, expect, it } from 'vitest';
import { collectWarnings } from '../../../../test/support/process-warnings.js';
import { guardedSignal } from './guarded-signal.js';
import { linkedSignal } from './linked-signal.js';
import { followersOfSignal, onAbort, onUnfollowed } from './on-abort.js';

describe('what follows the abort of a signal', () => {
  it('runs once, unless it was stopped', () => {
    const controller = new AbortController();
    const runs: string[] = [];
    onAbort(controller.signal, () => runs.push('first'));
    const stop = onAbort(controller.signal, () => runs.push('second'));
    onAbort(controller.signal, () => runs.push('third'));
    stop();
    controller.abort();
    controller.abort();
    expect(runs).toEqual(['first', 'third']);
    expect(followersOfSignal(controller.signal)).toBe(0);
  });

  it('is not run if one before it stops it', () => {
    const controller = new AbortController();
    const runs: string[] = [];
    let stop: () => void = () => undefined;
    onAbort(controller.signal, () => stop());
    stop = onAbort(controller.signal, () => runs.push('stopped'));
    controller.abort();
    expect(runs).toEqual([]);
  });

  it('runs at once if the signal has aborted', () => {
    const runs: string[] = [];
    const stop = onAbort(AbortSignal.abort(), () => runs.push('run'));
    stop();
    expect(runs).toEqual(['run']);
  });

  it('runs for each of the callers that pass the same function', () => {
    const controller = new AbortController();
    const runs: string[] = [];
    const run = () => void runs.push('run');
    const stop = onAbort(controller.signal, run);
    onAbort(controller.signal, run);
    stop();
    controller.abort();
    expect(runs).toEqual(['run']);
  });
});

describe('a signal', () => {
  it('says each time that its last follower has stopped, and nothing once it has aborted', () => {
    const controller = new AbortController();
    let times = 0;
    const [stopFirst, stopSecond] = [0, 1].map(() => onAbort(controller.signal, () => undefined));
    onUnfollowed(controller.signal, () => times++);
    stopFirst?.();
    stopFirst?.();
    expect(times).toBe(0);
    stopSecond?.();
    stopSecond?.();
    expect(times).toBe(1);
    onAbort(controller.signal, () => undefined)();
    expect(times).toBe(2);
    const stopThird = onAbort(controller.signal, () => undefined);
    controller.abort();
    stopThird();
    expect(times).toBe(2);
  });
});

describe('a signal that is followed by many', () => {
  it.each<[string, (source: AbortSignal) => AbortSignal]>([
    ['guarded signals', (source) => guardedSignal([source], () => undefined).signal],
    ['linked signals', (source) => linkedSignal(source)],
  ])('aborts all of them, without a warning of the process: %s', async (_what, following) => {
    const warnings = collectWarnings();
    const controller = new AbortController();
    const signals = Array.from({ length: 100 }, () => following(controller.signal));
    controller.abort('over');
    expect(signals.map(({ reason }) => reason)).toEqual(signals.map(() => 'over'));
    expect(await warnings()).toEqual([]);
  });

  it('keeps nothing of guarded signals that are released [security 38]', () => {
    const { signal } = new AbortController();
    const guarded = Array.from({ length: 100 }, () => guardedSignal([signal], () => undefined));
    expect(followersOfSignal(signal)).toBe(100);
    for (const { release } of guarded) release();
    expect(followersOfSignal(signal)).toBe(0);
  });
});
