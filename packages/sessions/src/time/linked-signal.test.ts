import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { linkedSignal } from './linked-signal.js';
import { followersOfSignal } from './on-abort.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('a linked signal', () => {
  it('aborts with the first of those that it follows, for the same reason', () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const signal = linkedSignal(one.signal, other.signal);
    expect(signal.aborted).toBe(false);
    other.abort('second');
    one.abort('first');
    expect(signal.reason).toBe('second');
  });

  it('is aborted when one of them is already', () => {
    const one = new AbortController();
    expect(linkedSignal(one.signal, AbortSignal.abort('gone')).reason).toBe('gone');
  });

  it('still aborts after a garbage collection', async () => {
    const source = new AbortController();
    const reasons: unknown[] = [];
    const signal = linkedSignal(source.signal);
    signal.addEventListener('abort', () => reasons.push(signal.reason));
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
    source.abort('over');
    expect(reasons).toEqual(['over']);
  });

  it('leaves nothing in its source signals after it has been collected [security 38]', async () => {
    const source = new AbortController();
    for (let call = 0; call < 1000; call++) linkedSignal(source.signal);
    expect(followersOfSignal(source.signal)).toBe(1000);
    await expect
      .poll(() => {
        collectGarbage();
        return followersOfSignal(source.signal);
      })
      .toBe(0);
  });
});
