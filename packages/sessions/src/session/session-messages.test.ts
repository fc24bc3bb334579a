import { describe, expect, it } from 'vitest';
import { LocalMessages } from '../store/local-messages.js';
import type { SessionRef } from './ids.js';
import { SessionMessages } from './session-messages.js';

// The brand is given in the library only; here any text will do.
const [a, b] = ['a', 'b'] as unknown as [SessionRef, SessionRef];

/** Two nodes with one channel, and what they hear of session `a`. */
function twoNodes() {
  const channel = new LocalMessages();
  const published: string[] = [];
  const publish = (topic: string) => {
    published.push(topic);
    channel.publish(topic);
  };
  const messages = { publish, subscribe: channel.subscribe.bind(channel) };
  const nodes = [new SessionMessages(messages), new SessionMessages(messages)] as const;
  const heard: string[] = [];
  const stops = nodes.map((node, at) => node.subscribe(a, () => void heard.push(`node ${at}`)));
  return { nodes, heard, published, stops };
}

describe('messages about sessions', () => {
  it('reach other nodes, and not the one that made the change', async () => {
    const { nodes, heard } = twoNodes();
    nodes[0].publish(a);
    await Promise.resolve();
    expect(heard).toEqual(['node 1']);
  });

  it('are one message for the changes of a session in one tick', async () => {
    const { nodes, heard, published } = twoNodes();
    for (const ref of [a, b, a]) nodes[1].publish(ref);
    await Promise.resolve();
    expect(published).toEqual(['session a', 'session b']);
    nodes[1].publish(a);
    await Promise.resolve();
    expect(heard).toEqual(['node 0', 'node 0']);
  });

  it('do not reach a node that has ended its subscription', async () => {
    const { nodes, heard, stops } = twoNodes();
    stops[1]?.();
    nodes[0].publish(a);
    await Promise.resolve();
    expect(heard).toEqual([]);
  });
});
