import { expect, it } from 'vitest';
import { LocalMessages } from '../../packages/sessions/src/store/local-messages.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { describeMessages } from './messages-contract.js';

describeMessages('of one process', () => {
  const messages = new LocalMessages();
  return { nodes: [messages, messages], clock: new VirtualClock() };
});

it('messages of one process keep nothing of subscriptions that have ended', () => {
  const messages = new LocalMessages();
  const stops = [messages.subscribe('a', () => undefined), messages.subscribe('a', () => undefined)];
  for (const stop of stops) stop();
  expect(messages.size).toBe(0);
});
