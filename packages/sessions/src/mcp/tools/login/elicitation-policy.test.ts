import { describe, expect, it } from 'vitest';
import type { SessionRef } from '../../../session/ids.js';
import { VirtualClock } from '../../../testing/index.js';
import { ElicitationPolicy } from './elicitation-policy.js';

const HOUR_MS = 60 * 60 * 1000;

function policy() {
  const clock = new VirtualClock();
  return { clock, policy: new ElicitationPolicy('auto', clock) };
}

const client = (key: string) => ({ key, isAskable: true });

describe('what is remembered of clients that were asked', () => {
  it('is of ten thousand at most: the longest unchanged is forgotten [security 40]', () => {
    const { policy: elicitation } = policy();
    for (let count = 0; count < 10_000; count++) elicitation.asked(client(`client ${count}`));
    elicitation.asked(client('client 0'));
    elicitation.asked(client('one more'));
    expect(elicitation.size).toBe(10_000);
    expect(elicitation.mayAsk(client('client 0'))).toBe(false);
    expect(elicitation.mayAsk(client('client 1'))).toBe(true);
    expect(elicitation.mayAsk(client('client 2'))).toBe(false);
  });

  it('is forgotten an hour after it changed last', async () => {
    const { policy: elicitation, clock } = policy();
    elicitation.stopAsking('session' as SessionRef);
    await clock.advance(HOUR_MS - 1);
    expect(elicitation.mayAsk(client('session'))).toBe(false);
    await clock.advance(1);
    expect(elicitation.mayAsk(client('session'))).toBe(true);
  });

  it('says once that the model has a link that it did not have before', () => {
    const { policy: elicitation } = policy();
    expect(elicitation.stopAsking('session' as SessionRef)).toBe(true);
    expect(elicitation.stopAsking('session' as SessionRef)).toBe(false);
  });

  it('moves with a session to its new reference only if its client is not asked any more', () => {
    const { policy: elicitation } = policy();
    elicitation.moved('pending' as SessionRef, 'session' as SessionRef);
    expect(elicitation.mayAsk(client('session'))).toBe(true);
    elicitation.stopAsking('pending' as SessionRef);
    elicitation.moved('pending' as SessionRef, 'session' as SessionRef);
    expect(elicitation.mayAsk(client('session'))).toBe(false);
  });
});
