import { describe, expect, it } from 'vitest';
import { engineNodes } from '../../../../../test/support/engine-nodes.js';
import type { SessionRef } from '../../session/ids.js';
import { MAX_CONTENT_BYTES } from '../../session/messages.js';
import type { SessionSnapshot } from '../../session/session-record.js';
import { ResourceUpdates } from '../request/session.js';
import { ResourceMessages } from './resource-messages.js';

const NOTES = 'notes://all';
// The brand is given in the library only; here any text will do.
const ALICE: SessionSnapshot = { ref: 'alice' as SessionRef, epoch: 3 };

/** Two nodes of an engine, what clients of each are notified of, and what the first one sends. */
function twoNodes() {
  const { clock, nodes } = engineNodes(1, { delayMs: 20 });
  const sent: object[] = [];
  const over = new Set<SessionRef>();
  const join = ({ ports, clock: nodeClock }: (typeof nodes)[number]) => {
    const updates = new ResourceUpdates();
    const notified: (string | undefined)[][] = [];
    updates.subscribe((uri, session) => notified.push(session === undefined ? [uri] : [uri, session]));
    const node = { updates, notified, dropped: 0 };
    const { messages } = ports;
    new ResourceMessages({
      messages: {
        send(topic, content) {
          sent.push(content);
          messages.send(topic, content);
        },
        receive: (...receiver) => messages.receive(...receiver),
      },
      updates,
      clock: nodeClock,
      isOver: ({ ref }) => over.has(ref),
      onDropped: () => void node.dropped++,
    });
    return node;
  };
  const [here, there] = [join(nodes[0]), join(nodes[1])];
  const sender = nodes[0].ports.messages;
  return { clock, here, there, sent, over, sender, delivered: () => clock.advance(1000) };
}

describe('the change of a resource at one node', () => {
  it('notifies the clients of each node once, with its session', async () => {
    const { here, there, delivered } = twoNodes();
    here.updates.notify(NOTES, ALICE);
    expect(here.notified).toEqual([[NOTES, 'alice']]);
    await delivered();
    there.updates.notify(NOTES);
    await delivered();
    for (const { notified } of [here, there]) expect(notified).toEqual([[NOTES, 'alice'], [NOTES]]);
  });

  it('is told once for all changes within 50 milliseconds, together with others', async () => {
    const { here, there, sent, clock, delivered } = twoNodes();
    for (let change = 0; change < 100; change++) for (const uri of ['a', 'b']) here.updates.notify(uri);
    await clock.advance(49);
    here.updates.notify('a', ALICE);
    await delivered();
    expect(sent).toEqual([
      { updates: [{ uri: 'a' }] },
      { updates: [{ uri: 'b' }, { uri: 'a' }, { uri: 'a', session: ALICE }] },
    ]);
    expect(there.notified.sort()).toEqual([['a'], ['a'], ['a', 'alice'], ['b']]);
    expect(clock.timers).toBe(0);
  });

  it('is not told to others if more have changed than fit into a message [security 40]', async () => {
    const { here, there, sent, delivered } = twoNodes();
    const uris = Array.from({ length: 200 }, (_, at) => `${'ä'.repeat(2000)}${at}`);
    for (const uri of uris) here.updates.notify(uri);
    await delivered();
    expect(here.notified).toHaveLength(200);
    expect(here.dropped).toBeGreaterThan(100);
    expect(there.notified).toHaveLength(200 - here.dropped);
    for (const content of sent)
      expect(Buffer.byteLength(JSON.stringify(content))).toBeLessThanOrEqual(MAX_CONTENT_BYTES);
  });

  it('is not told if no client can have subscribed to it, because its URI is too long', async () => {
    const { here, there, sent, delivered } = twoNodes();
    here.updates.notify('x'.repeat(2049));
    here.updates.notify('x'.repeat(2048));
    await delivered();
    expect([sent.length, there.notified.length]).toEqual([1, 1]);
  });

  it('notifies no client whose session was signed out meanwhile [security 8]', async () => {
    const { here, there, over, delivered } = twoNodes();
    over.add(ALICE.ref);
    here.updates.notify(NOTES, ALICE);
    here.updates.notify(NOTES, { ...ALICE, ref: 'bob' as SessionRef });
    await delivered();
    expect(there.notified).toEqual([[NOTES, 'bob']]);
  });

  it('is what a message says that has the form of one', async () => {
    const { sender, there, delivered } = twoNodes();
    for (const content of [
      {},
      { updates: 'a' },
      { updates: [{ uri: 1 }] },
      { updates: [{ uri: 'a', session: {} }] },
    ])
      sender.send('resources', content);
    await delivered();
    expect(there.notified).toEqual([]);
  });
});
