import { expect } from 'vitest';
import type { Messages } from '../../packages/sessions/src/session/messages.js';
import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { describe, it } from '../support/contract-tests.js';

/** The messengers of two nodes, which may be the same one, and the clock that deliveries depend on. */
export interface MessagesBench {
  readonly nodes: readonly [Messages, Messages];
  readonly clock: VirtualClock;
}

const DELIVERED_MS = 2000;

/** What messengers of several nodes guarantee besides. */
export function describeContents(name: string, create: () => MessagesBench): void {
  describe(`what messages ${name} tell`, () => {
    it('reaches the receiver of their topic at the other node, and not at the same one', async () => {
      const { nodes, clock } = create();
      const [here, there] = nodes;
      const received: unknown[] = [];
      here.receive('a', (content) => received.push(['here', content]));
      there.receive('a', (content) => received.push(['there', content]));
      there.receive('b', (content) => received.push(['b', content]));
      here.send('a', { text: 'ä', list: [{ number: 1 }] });
      await clock.advance(DELIVERED_MS);
      expect(received).toEqual([['there', { text: 'ä', list: [{ number: 1 }] }]]);
      there.send('a', {});
      here.send('b', {});
      await clock.advance(DELIVERED_MS);
      expect(received.slice(1).sort()).toEqual([
        ['b', {}],
        ['here', {}],
      ]);
    });
  });
}

/** What every messenger guarantees while no message is lost. */
export function describeMessages(name: string, create: () => MessagesBench): void {
  describe(`messages ${name}`, () => {
    it('reach each subscriber of their topic once, on every node', async () => {
      const { nodes, clock } = create();
      const [here, there] = nodes;
      const received: string[] = [];
      here.subscribe('a', () => received.push('here'));
      there.subscribe('a', () => received.push('there'));
      there.subscribe('a', () => received.push('there, too'));
      there.subscribe('b', () => received.push('b'));
      here.publish('a');
      await clock.advance(DELIVERED_MS);
      expect(received.sort()).toEqual(['here', 'there', 'there, too']);
      there.publish('b');
      await clock.advance(DELIVERED_MS);
      expect(received).toHaveLength(4);
    });

    it('do not reach those who have ended their subscription', async () => {
      const { nodes, clock } = create();
      const [here, there] = nodes;
      const received: string[] = [];
      const run = () => received.push('same');
      const unsubscribe = here.subscribe('a', run);
      here.subscribe('a', run);
      unsubscribe();
      unsubscribe();
      there.publish('a');
      await clock.advance(DELIVERED_MS);
      expect(received).toEqual(['same']);
    });

    it('reach a subscriber that has subscribed again when it received one', async () => {
      const { nodes, clock } = create();
      const [here] = nodes;
      let count = 0;
      const follow = () => {
        const stop = here.subscribe('a', () => {
          count++;
          stop();
          follow();
        });
      };
      follow();
      here.publish('a');
      await clock.advance(DELIVERED_MS);
      expect(count).toBe(1);
      here.publish('a');
      await clock.advance(DELIVERED_MS);
      expect(count).toBe(2);
    });
  });
}
