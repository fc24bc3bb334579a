import { describe, expect, it, onTestFinished } from 'vitest';
import { ModelledEngine } from '../../../../../test/support/modelled-engine.js';
import { NodeClock } from '../../../../../test/support/node-clock.js';
import { answerOf } from '../../../../../test/support/port-answers.js';
import { SeededRandom } from '../../../../../test/support/seeded-random.js';
import { SessionBench, type SessionBenchOptions } from '../../../../../test/support/session-bench.js';
import type { Principal } from '../../access/access.js';
import type { SessionRef } from '../../session/ids.js';
import { OwnerSessions } from '../../session/owner-sessions.js';
import { PresenceVisits } from '../../session/presence-visits.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { KeyHierarchy } from '../../vault/key-hierarchy.js';
import { systemRandom } from '../../vault/random.js';
import { BearerAccessConnections, OpenAccessConnections } from './connection-registry.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const ALICE: Principal = {
  issuer: 'https://auth.test',
  subject: 'alice',
  clientId: 'editor',
  scopes: [],
  expiresAtMs: Number.POSITIVE_INFINITY,
};
const INTRUDERS: readonly (Principal & { readonly who: string })[] = [
  { ...ALICE, who: 'another user', subject: 'bob' },
  { ...ALICE, who: 'the same user with another client', clientId: 'terminal' },
  { ...ALICE, who: 'the same name at another issuer', issuer: 'https://other.test' },
];

function setUpBearer({
  hasSessionPerConnection = false,
  isShared = false,
  ...options
}: { hasSessionPerConnection?: boolean; isShared?: boolean } & SessionBenchOptions = {}) {
  const bench = new SessionBench(options);
  const { keys, registry, sessionEvents: events } = bench;
  const owners = new OwnerSessions({
    keys,
    registry,
    random: systemRandom,
    hasSessionPerConnection,
    onError: (error) => bench.errors.push(error),
  });
  const connections = new BearerAccessConnections({
    registry,
    owners,
    events,
    isShared,
    onError: (error) => bench.errors.push(error),
  });
  const logIn = async () => {
    const { ref, epoch } = await owners.of(ALICE);
    await bench.accounts.commitLogin({ ref, epoch }, 'idp', bench.provider.grant('alice'));
  };
  return { bench, owners, connections, logIn };
}

const signOutsOf = (bench: SessionBench) => bench.eventsOf('session.signed_out').map(({ reason }) => reason);

describe('connections in open access', () => {
  it('are sessions, and serve every client that knows their id', async () => {
    const { registry } = new SessionBench();
    const connections = new OpenAccessConnections(registry);
    const { id, connection, session } = await connections.start(undefined, undefined);
    expect(session).toMatchObject({ ref: connection, kind: 'connection' });
    expect(await connections.find(id)).toEqual({ connection, session });
    await registry.end(connection, 'deleted');
    expect(await connections.find(id)).toBeUndefined();
  });
});

describe('connections in bearer access', () => {
  it('share the session of their user', async () => {
    const { connections, owners } = setUpBearer();
    const [first, second] = [await connections.start(ALICE), await connections.start(ALICE)];
    const { ref } = await owners.of(ALICE);
    expect([first.session.ref, second.session.ref]).toEqual([ref, ref]);
    expect(await connections.find(first.id, ALICE)).toMatchObject({
      connection: first.connection,
      session: { ref, kind: 'owner-session' },
    });
  });

  it('are found with every token of their user', async () => {
    const { connections } = setUpBearer();
    const { id } = await connections.start(ALICE);
    expect(await connections.find(id, { ...ALICE, scopes: ['more'], expiresAtMs: 1 })).toBeDefined();
  });

  it.each(INTRUDERS)(
    'are unknown to $who, stay unchanged, and emit an event [security 4, 49]',
    async (intruder) => {
      const { bench, connections } = setUpBearer();
      const { id, connection } = await connections.start(ALICE);
      await bench.clock.advance(MINUTE);
      const before = await bench.registry.get(connection);
      const size = await bench.sessionCount();
      expect(await connections.find(id, intruder)).toBeUndefined();
      expect(await bench.registry.get(connection)).toEqual(before);
      // The attempt creates nothing on the node.
      expect(await bench.sessionCount()).toBe(size);
      expect(bench.eventsOf('session.not_owned')).toEqual([
        { type: 'session.not_owned', ref: connection, epoch: 0 },
      ]);
      expect(await connections.find(id, ALICE)).toBeDefined();
    },
  );

  it('are not found by their internal reference, or by that of their session [security 2, 6]', async () => {
    const { bench, connections } = setUpBearer();
    const { connection, session } = await connections.start(ALICE);
    for (const ref of [connection, session.ref]) expect(await connections.find(ref, ALICE)).toBeUndefined();
    expect(bench.eventsOf('session.not_owned')).toEqual([]);
  });

  it('throw an error without a principal', async () => {
    const { connections } = setUpBearer();
    await expect(connections.start(undefined)).rejects.toThrow('every request has a principal');
    await expect(connections.find('id', undefined)).rejects.toThrow('every request has a principal');
  });

  it('keep their session active with their requests', async () => {
    const { bench, connections, logIn } = setUpBearer();
    const found = await connections.start(ALICE);
    await logIn();
    for (let request = 0; request < 5; request++) {
      await bench.clock.advance(20 * MINUTE);
      await connections.touch(found);
    }
    expect(signOutsOf(bench)).toEqual([]);
  });
});

describe('a stream of a connection in bearer access', () => {
  it('keeps the connection and its session present [security 36]', async () => {
    const { bench, connections, logIn } = setUpBearer();
    const found = await connections.start(ALICE);
    await logIn();
    const close = connections.streamOpened(found);
    await bench.clock.advance(60 * MINUTE);
    expect(signOutsOf(bench)).toEqual([]);
    close('client');
    await bench.clock.advance(121 * SECOND);
    expect(signOutsOf(bench)).toEqual(['disconnect']);
  });

  it('does not count as a disconnect when the server closes it [security 36]', async () => {
    const { bench, connections, logIn } = setUpBearer();
    const found = await connections.start(ALICE);
    await logIn();
    connections.streamOpened(found)('server');
    await bench.clock.advance(20 * MINUTE);
    expect(signOutsOf(bench)).toEqual([]);
  });

  it('lets the grace start when the last connection ends [security 34]', async () => {
    const { bench, connections, logIn } = setUpBearer();
    const found = await connections.start(ALICE);
    await logIn();
    const close = connections.streamOpened(found);
    await bench.clock.advance(SECOND);
    // The end of a connection closes its streams, which report it later.
    await bench.registry.end(found.connection, 'deleted');
    close('server');
    await bench.clock.advance(119 * SECOND);
    expect(signOutsOf(bench)).toEqual([]);
    await bench.clock.advance(2 * SECOND);
    expect(signOutsOf(bench)).toEqual(['disconnect']);
  });

  it('does not start the grace while another connection is open [security 34]', async () => {
    const { bench, connections, logIn } = setUpBearer();
    const found = await connections.start(ALICE);
    await connections.start(ALICE);
    await logIn();
    const close = connections.streamOpened(found);
    await bench.registry.end(found.connection, 'deleted');
    close('server');
    await bench.clock.advance(20 * MINUTE);
    expect(signOutsOf(bench)).toEqual([]);
  });

  it('leaves no presence when its session ends [security 38]', async () => {
    const { bench, connections } = setUpBearer();
    const found = await connections.start(ALICE);
    const close = connections.streamOpened(found);
    await bench.registry.end(found.session.ref, 'operator');
    close('server');
    await bench.clock.advance(60 * MINUTE);
    const refs: SessionRef[] = [found.connection, found.session.ref];
    for (const ref of refs) expect(bench.registry.presenceOf(ref)).toEqual({ openStreams: 0, requests: 0 });
    expect(bench.clock.timers).toBe(0);
  });
});

describe('a connection in bearer access at one of two nodes', () => {
  /** Two nodes of an engine that answers late. A user may have one connection. */
  function twoNodes() {
    const clock = new VirtualClock();
    const keys = new KeyHierarchy(systemRandom(32));
    const engine = new ModelledEngine({ clock, random: new SeededRandom(1), delayMs: 20, losses: 0 });
    const join = () => {
      const nodeClock = new NodeClock(clock);
      const node = setUpBearer({
        clock,
        nodeClock,
        keys,
        limits: { connectionsPerUser: 1 },
        isShared: true,
        createPorts: ({ isPresent }) => engine.portsOf(nodeClock, isPresent),
      });
      const { registry, errors } = node.bench;
      const onError = (error: unknown) => void errors.push(error);
      const visits = new PresenceVisits({ registry, clock: nodeClock, idleMs: 60 * MINUTE, onError });
      onTestFinished(() => visits.stop());
      return { ...node, nodeClock };
    };
    const [here, there] = [join(), join()];
    const start = ({ connections }: typeof here) => answerOf(clock, connections.start(ALICE));
    const isKnown = async (id: string) => !!(await answerOf(clock, there.connections.find(id, ALICE)));
    return { clock, here, there, start, isKnown };
  }

  const REFUSED = { code: 'too_many_requests' };
  const uses = [
    { use: 'a call that takes two minutes', begin: 'requestBegan' },
    { use: 'an open stream', begin: 'streamOpened' },
  ] as const;

  it.each(uses)(
    'is not ended for another one at the other node during $use [security 36, 39]',
    async ({ begin }) => {
      const { clock, here, there, start, isKnown } = twoNodes();
      const first = await start(there);
      const end = there.connections[begin](first);
      for (const seconds of [1, 60, 60]) {
        await clock.advance(seconds * SECOND);
        await expect(start(here)).rejects.toMatchObject(REFUSED);
      }
      end('server');
      await clock.advance(SECOND);
      const second = await start(here);
      expect([await isKnown(first.id), await isKnown(second.id)]).toEqual([false, true]);
      expect([here, there].flatMap(({ bench }) => bench.errors)).toEqual([]);
    },
  );

  it('is ended a minute after its node was killed [security 39]', async () => {
    const { clock, here, there, start } = twoNodes();
    there.connections.streamOpened(await start(there));
    await clock.advance(SECOND);
    there.nodeClock.crash();
    await clock.advance(58 * SECOND);
    await expect(start(here)).rejects.toMatchObject(REFUSED);
    await clock.advance(2 * SECOND);
    expect(await start(here)).toBeDefined();
  });
});
