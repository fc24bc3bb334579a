import { describe, expect, it } from 'vitest';
import type { SessionRef } from '../../../session/ids.js';
import { LocalMessages } from '../../../store/local-messages.js';
import { VirtualClock } from '../../../testing/index.js';
import { ElicitationPolicy } from './elicitation-policy.js';

const HOUR_MS = 60 * 60 * 1000;

function policy() {
  const clock = new VirtualClock();
  return { clock, policy: new ElicitationPolicy('auto', clock) };
}

const client = (key: string) => ({ key, isAskable: true });

/** Two nodes, of which requests of a client reach either. */
function twoNodes() {
  const clock = new VirtualClock();
  const messages = new LocalMessages();
  const [here, there] = [0, 1].map(() => new ElicitationPolicy('auto', clock, messages));
  return { clock, messages, here: here as ElicitationPolicy, there: there as ElicitationPolicy };
}

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

describe('a client that was asked at one node', () => {
  it('may be asked there again when it has answered at another one', () => {
    const { here, there, messages } = twoNodes();
    here.asked(client('a'));
    expect(here.mayAsk(client('a'))).toBe(false);
    there.answered(client('a'));
    expect(here.mayAsk(client('a'))).toBe(true);
    expect(messages.size).toBe(0);
    // It has answered before, so it may have several open questions.
    here.asked(client('a'));
    expect(here.mayAsk(client('a'))).toBe(true);
  });

  it('has answered one question if it answers at the same node', () => {
    const { here } = twoNodes();
    here.answered(client('a'));
    for (let question = 0; question < 4; question++) here.asked(client('a'));
    expect(here.mayAsk(client('a'))).toBe(false);
    here.answered(client('a'));
    expect(here.mayAsk(client('a'))).toBe(true);
    here.asked(client('a'));
    expect(here.mayAsk(client('a'))).toBe(false);
  });

  it('is awaited for an hour', async () => {
    const { here, messages, clock } = twoNodes();
    here.asked(client('a'));
    expect(messages.size).toBe(1);
    await clock.advance(HOUR_MS);
    expect(messages.size).toBe(0);
  });

  it('is one of ten thousand at most that are awaited [security 40]', () => {
    const { here, messages } = twoNodes();
    for (let count = 0; count <= 10_000; count++) here.asked(client(`client ${count}`));
    expect(messages.size).toBe(10_000);
  });
});
