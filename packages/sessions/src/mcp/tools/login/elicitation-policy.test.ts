import { describe, expect, it } from 'vitest';
import { engineNodes } from '../../../../../../test/support/engine-nodes.js';
import type { SessionRef } from '../../../session/ids.js';
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
  const { clock, nodes } = engineNodes(1, { delayMs: 0 });
  const [here, there] = nodes.map(({ ports }) => new ElicitationPolicy('auto', clock, ports.messages));
  const delivered = () => clock.advance(1000);
  const sender = nodes[0].ports.messages;
  return { here: here as ElicitationPolicy, there: there as ElicitationPolicy, sender, delivered };
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
  it('is not asked at another one before it has answered, at any of them', async () => {
    const { here, there, delivered } = twoNodes();
    here.asked(client('a'));
    await delivered();
    expect([here, there].map((each) => each.mayAsk(client('a')))).toEqual([false, false]);
    expect(there.mayAsk(client('b'))).toBe(true);
    there.answered(client('a'));
    await delivered();
    expect([here, there].map((each) => each.mayAsk(client('a')))).toEqual([true, true]);
    // It has answered before, so it may have several open questions.
    here.asked(client('a'));
    await delivered();
    expect([here, there].map((each) => each.mayAsk(client('a')))).toEqual([true, true]);
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

  it('is not asked at another one either if it has refused', async () => {
    const { here, there, delivered } = twoNodes();
    here.asked(client('session'));
    here.stopAsking('session' as SessionRef);
    there.answered(client('session'));
    await delivered();
    expect([here, there].map((each) => each.mayAsk(client('session')))).toEqual([false, false]);
    expect(there.stopAsking('session' as SessionRef)).toBe(false);
  });

  it('is one of ten thousand at most at another one [security 40]', async () => {
    const { here, there, delivered } = twoNodes();
    for (let count = 0; count <= 10_000; count++) here.asked(client(`client ${count}`));
    await delivered();
    expect(there.size).toBe(10_000);
  });

  it('is what a message says that has the form of one', async () => {
    const { there, sender, delivered } = twoNodes();
    for (const content of [{}, { key: 'a' }, { key: 'a', what: 'other' }, { key: 1, what: 'asked' }])
      sender.send('elicitation', content);
    await delivered();
    expect(there.size).toBe(0);
  });
});
