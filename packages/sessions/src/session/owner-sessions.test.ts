import { describe, expect, it } from 'vitest';
import { benchNodes } from '../../../../test/support/bench-nodes.js';
import { engineNodes } from '../../../../test/support/engine-nodes.js';
import { NodeClock } from '../../../../test/support/node-clock.js';
import { answerOf } from '../../../../test/support/port-answers.js';
import { portsOver } from '../../../../test/support/ports-with.js';
import { SessionBench, type SessionBenchOptions } from '../../../../test/support/session-bench.js';
import { storeUnavailable } from '../errors.js';
import { systemRandom } from '../vault/random.js';
import type { OwnerIdentity, SessionId, SessionRef } from './ids.js';
import { OwnerSessions } from './owner-sessions.js';
import { connectionIndex } from './session-index.js';
import type { SessionRecord } from './session-record.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const ALICE: OwnerIdentity = { issuer: 'https://auth.test', subject: 'alice', clientId: 'editor' };
const ALICE_ELSEWHERE = { ...ALICE, clientId: 'terminal' };
const BOB = { ...ALICE, subject: 'bob' };

class OwnersBench extends SessionBench {
  readonly owners: OwnerSessions;

  constructor(options: SessionBenchOptions = {}, hasSessionPerConnection = false) {
    super(options);
    const { keys, registry } = this;
    this.owners = new OwnerSessions({
      keys,
      registry,
      random: systemRandom,
      hasSessionPerConnection,
      onError: (error) => this.errors.push(error),
    });
  }

  async connect(identity: OwnerIdentity): Promise<{ id: SessionId; record: SessionRecord }> {
    return this.owners.connect(await this.owners.ofNewConnection(identity), identity);
  }

  async touch({ ref, session }: SessionRecord): Promise<void> {
    if (session) await this.owners.touch(ref, session);
  }

  async connectionsOf(session: SessionRef): Promise<readonly SessionRef[]> {
    return this.store.refsOf(connectionIndex(session));
  }

  /** As many as one owner may have, the longest idle first. */
  async connectTen(): Promise<{ id: SessionId; record: SessionRecord }[]> {
    const connections: { id: SessionId; record: SessionRecord }[] = [];
    while (connections.length < 10) connections.push(await this.connect(ALICE));
    return connections;
  }

  async logIn(identity: OwnerIdentity): Promise<SessionRecord> {
    const { ref, epoch } = await this.owners.of(identity);
    await this.accounts.commitLogin({ ref, epoch }, 'idp', this.provider.grant(identity.subject));
    return this.owners.of(identity);
  }

  async isLive({ id }: { id: string }): Promise<boolean> {
    return (await this.registry.resolve('connection', id)).state === 'live';
  }
}

describe('the session of an owner', () => {
  it('is read and noted by one call of the store for each request', async () => {
    const bench = new OwnersBench();
    const { ref } = await bench.owners.ofRequest(ALICE);
    await bench.clock.advance(1000);
    const calls: string[] = [];
    for (const method of ['get', 'visit'] as const) {
      const original = bench.store[method].bind(bench.store) as (...given: unknown[]) => unknown;
      const counted = (...given: unknown[]) => {
        calls.push(method);
        return original(...given);
      };
      Object.assign(bench.store, { [method]: counted });
    }
    expect(await bench.owners.ofRequest(ALICE)).toMatchObject({ ref, lastRequestAtMs: 1000 });
    expect(calls).toEqual(['visit']);
  });

  it('is there as soon as it is asked for, and the same ever after [security 4]', async () => {
    const bench = new OwnersBench();
    const session = await bench.owners.of(ALICE);
    expect(session).toMatchObject({ kind: 'owner-session', accounts: {} });
    expect(await bench.owners.of({ ...ALICE })).toEqual(session);
    expect(bench.eventsOf('session.started')).toHaveLength(1);
  });

  it.each<[what: string, other: OwnerIdentity]>([
    ['another user', BOB],
    ['the same user with another client', ALICE_ELSEWHERE],
    ['the same name at another issuer', { ...ALICE, issuer: 'https://other.test' }],
    ['a name that runs into the client’s', { ...ALICE, subject: 'aliceedi', clientId: 'tor' }],
  ])('is not that of %s [security 4]', async (_what, other) => {
    const bench = new OwnersBench();
    const session = await bench.owners.of(ALICE);
    const connection = await bench.owners.connect(session, ALICE);
    const others = await bench.owners.of(other);
    expect(others.ref).not.toBe(session.ref);
    expect(bench.owners.isOwn(connection.record, ALICE)).toBe(true);
    expect(bench.owners.isOwn(connection.record, other)).toBe(false);
  });

  it('names its owner by digests only [security 2]', async () => {
    const records = new Map();
    const bench = new OwnersBench({ createPorts: portsOver(records) });
    await bench.connect(ALICE);
    const dump = JSON.stringify([...records]);
    for (const word of Object.values(ALICE)) expect(dump).not.toContain(word);
  });

  it('is one, however many ask for it at once', async () => {
    const bench = new OwnersBench();
    const sessions = await Promise.all(Array.from({ length: 100 }, () => bench.owners.of(ALICE)));
    expect(new Set(sessions.map(({ ref }) => ref)).size).toBe(1);
    expect(await bench.sessionCount()).toBe(1);
    expect(bench.eventsOf('session.started')).toHaveLength(1);
  });

  it('is one when the store is slow and answers out of order', async () => {
    const { engine, clock } = engineNodes(1, { delayMs: 40 });
    const bench = new OwnersBench({
      clock,
      createPorts: ({ isPresent }) => engine.portsOf(new NodeClock(clock), isPresent),
    });
    const asked = Promise.all(Array.from({ length: 20 }, () => bench.owners.of(ALICE)));
    await answerOf(clock, asked);
    expect(new Set((await asked).map(({ epoch }) => epoch)).size).toBe(1);
    expect(await answerOf(clock, bench.sessionCount())).toBe(1);
    expect(bench.eventsOf('session.started')).toHaveLength(1);
  });

  it.each(['call', 'answer'])('is one although the store lost the %s that adds it', async (what) => {
    const bench = new OwnersBench();
    const { store } = bench;
    const insert = store.insert.bind(store);
    let losses = 1;
    store.insert = async (...given) => {
      const isLost = losses-- > 0;
      if (isLost && what === 'call') throw storeUnavailable(new Error('down'));
      const isAdded = await insert(...given);
      if (isLost) throw storeUnavailable(new Error('down'));
      return isAdded;
    };
    const asked = Promise.all([bench.owners.of(ALICE), bench.owners.of(ALICE)]);
    await bench.clock.advance(SECOND);
    const [first, second] = await asked;
    expect(second).toEqual(first);
    expect((await store.refs()).refs).toHaveLength(1);
    expect(await bench.sessionCount()).toBe(1);
    expect(await bench.owners.ofSameUser(first)).toEqual([first.ref]);
  });

  it('that the store does not give is an error for all who wait, and is there for who asks afterwards', async () => {
    const bench = new OwnersBench();
    const { store } = bench;
    const { insert } = store;
    store.insert = () => Promise.reject(storeUnavailable(new Error('down')));
    const asked = Promise.allSettled([bench.owners.of(ALICE), bench.owners.of(ALICE)]);
    await bench.clock.advance(SECOND);
    for (const answer of await asked) {
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
    }
    expect(await bench.sessionCount()).toBe(0);
    store.insert = insert.bind(store);
    expect(await bench.owners.of(ALICE)).toMatchObject({ kind: 'owner-session' });
  });

  it('never repeats an epoch or a generation after it has ended: what is late from before fits nothing', async () => {
    const bench = new OwnersBench();
    const seen = new Set<number>();
    for (let life = 0; life < 50; life++) {
      const { ref, epoch, generation } = await bench.owners.of(ALICE);
      for (const number of [epoch, generation]) {
        expect(seen).not.toContain(number);
        seen.add(number);
      }
      await bench.registry.end(ref, 'operator');
    }
  });

  it('that has ended takes in no login that was started before', async () => {
    const bench = new OwnersBench();
    const { ref, epoch } = await bench.owners.of(ALICE);
    await bench.registry.end(ref, 'connection_expired');
    const again = await bench.owners.of(ALICE);
    expect(again.ref).toBe(ref);
    const late = bench.accounts.commitLogin({ ref, epoch }, 'idp', bench.provider.grant('alice'));
    expect(await late).toBeUndefined();
    expect((await bench.owners.of(ALICE)).accounts).toEqual({});
  });
});

describe('the sessions of one user', () => {
  it('are found together for all clients of the user, without those of other users', async () => {
    const bench = new OwnersBench();
    const [editor, terminal] = [await bench.owners.of(ALICE), await bench.owners.of(ALICE_ELSEWHERE)];
    const bob = await bench.owners.of(BOB);
    await bench.owners.of({ ...ALICE, issuer: 'https://other.test' });
    expect(await bench.owners.ofSameUser(editor)).toEqual([editor.ref, terminal.ref]);
    expect(await bench.owners.ofSameUser(terminal)).toEqual([editor.ref, terminal.ref]);
    expect(await bench.owners.ofSameUser(bob)).toEqual([bob.ref]);
  });

  it('are forgotten one by one as they end', async () => {
    const bench = new OwnersBench();
    const [editor, terminal] = [await bench.owners.of(ALICE), await bench.owners.of(ALICE_ELSEWHERE)];
    await bench.registry.end(editor.ref, 'connection_expired');
    expect(await bench.owners.ofSameUser(terminal)).toEqual([terminal.ref]);
    expect(await bench.owners.ofSameUser(editor)).toEqual([terminal.ref]);
  });
});

describe('the connections of an owner', () => {
  it('have ids of their own, and share the session', async () => {
    const bench = new OwnersBench();
    const [first, second] = [await bench.connect(ALICE), await bench.connect(ALICE)];
    expect(second.id).not.toBe(first.id);
    const { ref } = await bench.owners.of(ALICE);
    expect(await bench.connectionsOf(ref)).toEqual([first.record.ref, second.record.ref]);
  });

  it('are ten at most: one more, and the one that was idle for longest ends [security 39]', async () => {
    const bench = new OwnersBench();
    const connections = await bench.connectTen();
    const bobs = await bench.connect(BOB);
    await bench.touch(connections[0]!.record);
    const eleventh = await bench.connect(ALICE);
    const live = await Promise.all([...connections, eleventh, bobs].map((each) => bench.isLive(each)));
    expect(live).toEqual([true, false, ...new Array(8).fill(true), true, true]);
    expect(bench.eventsOf('session.ended')).toEqual([
      { type: 'session.ended', ref: connections[1]!.record.ref, epoch: 0, reason: 'cap' },
    ]);
  });

  it('are ten at most, however many are started at the same time [security 39]', async () => {
    const bench = new OwnersBench();
    const connections = await Promise.all(Array.from({ length: 50 }, () => bench.connect(ALICE)));
    const { ref } = await bench.owners.of(ALICE);
    expect(await bench.connectionsOf(ref)).toHaveLength(10);
    const live = await Promise.all(connections.map((each) => bench.isLive(each)));
    expect(live.filter(Boolean)).toHaveLength(10);
    expect(live.at(-1)).toBe(true);
  });

  it('whose client is listening are not idle, whenever they last asked for anything [security 36, 39]', async () => {
    const bench = new OwnersBench();
    const connections = await bench.connectTen();
    const [listening, idle] = connections;
    bench.registry.streamOpened(listening!.record.ref);
    await bench.connect(ALICE);
    expect([await bench.isLive(listening!), await bench.isLive(idle!)]).toEqual([true, false]);
  });

  it('with a call in flight are not idle, whatever its age [security 36, 39]', async () => {
    const bench = new OwnersBench();
    const [serving, idle] = await bench.connectTen();
    const endRequest = bench.registry.requestBegan(serving!.record.ref);
    await bench.connect(ALICE);
    expect([await bench.isLive(serving!), await bench.isLive(idle!)]).toEqual([true, false]);
    endRequest('server');
    await bench.connect(ALICE);
    expect(await bench.isLive(serving!)).toBe(false);
  });

  it('refuse another one when none of them is idle, and stay [security 39]', async () => {
    const bench = new OwnersBench();
    const connections = await bench.connectTen();
    const [{ record: serving }, ...listening] = connections as [
      (typeof connections)[0],
      ...typeof connections,
    ];
    bench.registry.requestBegan(serving.ref);
    const closed = listening.map(({ record }) => bench.registry.streamOpened(record.ref));
    await expect(bench.connect(ALICE)).rejects.toMatchObject({
      code: 'too_many_requests',
      retryAfterSeconds: 60,
      message: expect.stringMatching(/^You have 10 connections .* Close one of them, or try again/),
    });
    expect(bench.eventsOf('session.refused')).toEqual([{ type: 'session.refused', reason: 'user' }]);
    for (const connection of connections) expect(await bench.isLive(connection)).toBe(true);
    expect(await bench.connectionsOf((await bench.owners.of(ALICE)).ref)).toHaveLength(10);
    closed[3]?.('client');
    const eleventh = await bench.connect(ALICE);
    expect([await bench.isLive(listening[3]!), await bench.isLive(eleventh)]).toEqual([false, true]);
  });

  it('make no room for one that the store did not add [security 39]', async () => {
    const bench = new OwnersBench();
    const { store } = bench;
    const connections = await bench.connectTen();
    const insert = store.insert.bind(store);
    store.insert = () => Promise.reject(storeUnavailable(new Error('down')));
    await expect(bench.connect(ALICE)).rejects.toMatchObject({ code: 'store_unavailable' });
    for (const connection of connections) expect(await bench.isLive(connection)).toBe(true);
    const { ref } = await bench.owners.of(ALICE);
    expect(await bench.connectionsOf(ref)).toHaveLength(10);
    store.insert = insert;
    await bench.connect(ALICE);
    expect(await bench.connectionsOf(ref)).toHaveLength(10);
  });

  it.each(['deleted', 'connection_expired', 'cap'] as const)(
    'end one by one (%s), and the login stays with the others [security 34]',
    async (reason) => {
      const bench = new OwnersBench();
      const [first, second] = [await bench.connect(ALICE), await bench.connect(ALICE)];
      await bench.logIn(ALICE);
      await bench.registry.end(first.record.ref, reason);
      await bench.clock.advance(10 * MINUTE);
      expect([await bench.isLive(first), await bench.isLive(second)]).toEqual([false, true]);
      expect(bench.eventsOf('session.signed_out')).toEqual([]);
      expect((await bench.owners.of(ALICE)).accounts).toHaveProperty('idp');
    },
  );

  it('end with the session that they are of, for the same reason', async () => {
    const bench = new OwnersBench();
    const connections = [await bench.connect(ALICE), await bench.connect(ALICE)];
    const bobs = await bench.connect(BOB);
    const { ref } = await bench.owners.of(ALICE);
    await bench.registry.end(ref, 'operator');
    await bench.clock.advance(0);
    for (const connection of connections) expect(await bench.isLive(connection)).toBe(false);
    expect(await bench.isLive(bobs)).toBe(true);
    expect(bench.eventsOf('session.ended').map(({ reason }) => reason)).toEqual(
      new Array(3).fill('operator'),
    );
  });

  it('that are started while the session ends end with it', async () => {
    const bench = new OwnersBench();
    const { store } = bench;
    const session = await bench.owners.of(ALICE);
    const insert = store.insert.bind(store);
    store.insert = async (...given) => {
      await bench.registry.end(session.ref, 'operator');
      return insert(...given);
    };
    const connection = await bench.owners.connect(session, ALICE);
    expect(await bench.isLive(connection)).toBe(false);
    expect(await bench.sessionCount()).toBe(0);
  });

  it('whose end the store refuses are reported, not lost in silence', async () => {
    const bench = new OwnersBench();
    const { store } = bench;
    const { record } = await bench.connect(ALICE);
    const { ref } = await bench.owners.of(ALICE);
    const take = store.take.bind(store);
    store.take = (each, reason) =>
      each === record.ref ? Promise.reject(storeUnavailable(new Error('down'))) : take(each, reason);
    await bench.registry.end(ref, 'operator');
    await bench.clock.advance(SECOND);
    expect(bench.errors).toEqual([expect.objectContaining({ code: 'store_unavailable' })]);
  });
});

describe('when the last connection of an owner has ended', () => {
  async function gone() {
    const bench = new OwnersBench();
    const connection = await bench.connect(ALICE);
    await bench.logIn(ALICE);
    await bench.clock.advance(MINUTE);
    return { bench, connection, end: () => bench.registry.end(connection.record.ref, 'deleted') };
  }
  const reasonsOf = (bench: SessionBench) => bench.eventsOf('session.signed_out').map(({ reason }) => reason);

  it('the login is wiped after the grace, and not before [security 34, 35]', async () => {
    const { bench, end } = await gone();
    await end();
    await bench.clock.advance(119 * SECOND);
    expect(reasonsOf(bench)).toEqual([]);
    await bench.clock.advance(2 * SECOND);
    expect(reasonsOf(bench)).toEqual(['disconnect']);
    expect(await bench.owners.of(ALICE)).toMatchObject({ accounts: {}, signedOut: 'disconnect' });
    expect(bench.provider.revoked).not.toEqual([]);
  });

  it('the login is wiped at once where there is no grace [security 35]', async () => {
    const bench = new OwnersBench({ lifetimes: { disconnectGraceMs: 0 } });
    const { record } = await bench.connect(ALICE);
    await bench.logIn(ALICE);
    await bench.registry.end(record.ref, 'deleted');
    await bench.clock.advance(0);
    expect(reasonsOf(bench)).toEqual(['disconnect']);
  });

  it('the login stays if a request comes within the grace, as one of 2026 does without a connection [security 34]', async () => {
    const { bench, end } = await gone();
    await end();
    await bench.clock.advance(100 * SECOND);
    await bench.registry.touch((await bench.owners.of(ALICE)).ref);
    await bench.clock.advance(10 * MINUTE);
    expect(reasonsOf(bench)).toEqual([]);
  });

  it('the login stays if another connection is started within the grace [security 34]', async () => {
    const { bench, end } = await gone();
    await end();
    await bench.clock.advance(100 * SECOND);
    await bench.connect(ALICE);
    await bench.clock.advance(10 * MINUTE);
    expect(reasonsOf(bench)).toEqual([]);
  });

  it('the login stays while a stream of another kind is open [security 36]', async () => {
    const { bench, end } = await gone();
    bench.registry.streamOpened((await bench.owners.of(ALICE)).ref);
    await end();
    await bench.clock.advance(HOUR);
    expect(reasonsOf(bench)).toEqual([]);
  });

  it('does not sign out a session without a login', async () => {
    const bench = new OwnersBench();
    const { record } = await bench.connect(ALICE);
    await bench.registry.end(record.ref, 'deleted');
    await bench.clock.advance(HOUR);
    expect(reasonsOf(bench)).toEqual([]);
  });

  it('the sessions that the same user has through other clients stay [security 34]', async () => {
    const { bench, end } = await gone();
    await bench.connect(ALICE_ELSEWHERE);
    await bench.logIn(ALICE_ELSEWHERE);
    await end();
    await bench.clock.advance(10 * MINUTE);
    expect((await bench.owners.of(ALICE)).accounts).toEqual({});
    expect((await bench.owners.of(ALICE_ELSEWHERE)).accounts).toHaveProperty('idp');
  });
});

describe('a request of a connection', () => {
  it('counts for the connection and for its session', async () => {
    const bench = new OwnersBench();
    const { record } = await bench.connect(ALICE);
    await bench.logIn(ALICE);
    for (let request = 0; request < 10; request++) {
      await bench.clock.advance(20 * MINUTE);
      await bench.touch(record);
    }
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
    expect((await bench.registry.get(record.ref))?.lastRequestAtMs).toBe(bench.clock.now());
  });

  it('that comes after its end does no harm', async () => {
    const bench = new OwnersBench();
    const { record } = await bench.connect(ALICE);
    await bench.registry.end(record.ref, 'deleted');
    await bench.touch(record);
    expect(await bench.registry.get(record.ref)).toBeUndefined();
  });
});

describe('a node that is full', () => {
  it('never ends a connection of a logged-in owner for another user [security 39]', async () => {
    const bench = new OwnersBench({ maxSessions: 4 });
    const [first, second] = [await bench.connect(ALICE), await bench.connect(ALICE)];
    await bench.logIn(ALICE);
    await bench.clock.advance(HOUR / 4);
    for (let newcomer = 0; newcomer < 20; newcomer++) {
      await bench.owners.of({ ...BOB, clientId: `${newcomer}` });
      await bench.clock.advance(0);
    }
    await bench.logIn({ ...BOB, clientId: '19' });
    await expect(bench.owners.of({ ...BOB, clientId: 'late' })).rejects.toMatchObject({
      code: 'limit_reached',
    });
    expect([await bench.isLive(first), await bench.isLive(second)]).toEqual([true, true]);
    expect((await bench.owners.of(ALICE)).accounts).toHaveProperty('idp');
  });

  it('ends an owner’s session without a login together with its connections [security 39]', async () => {
    const bench = new OwnersBench({ maxSessions: 2 });
    const connection = await bench.connect(ALICE);
    await bench.owners.of(BOB);
    await bench.clock.advance(0);
    expect(await bench.isLive(connection)).toBe(false);
    expect(bench.eventsOf('session.ended').map(({ reason }) => reason)).toEqual(['cap', 'cap']);
    expect(await bench.sessionCount()).toBe(1);
  });
});

it('a thousand lives of owners leave nothing behind [security 38]', async () => {
  const records = new Map();
  const bench = new OwnersBench({ createPorts: portsOver(records) });
  const lastRefs: SessionRef[] = [];
  for (let life = 0; life < 1000; life++) {
    const owner = { ...ALICE, subject: `${life % 7}`, clientId: `${life % 3}` };
    const { record } = await bench.connect(owner);
    await bench.connect(owner);
    const session = await bench.logIn(owner);
    bench.registry.streamOpened(record.ref)('client');
    await bench.touch(record);
    if (life % 2 === 0) await bench.registry.end(record.ref, 'deleted');
    await bench.registry.end(session.ref, 'connection_expired');
    await bench.clock.advance(0);
    lastRefs.push(session.ref, record.ref);
  }
  await bench.clock.advance(MINUTE);
  expect(records.size).toBe(0);
  expect(await bench.sessionCount()).toBe(0);
  expect(bench.deadlines.size).toBe(0);
  for (const ref of lastRefs.slice(-20)) {
    expect(await bench.connectionsOf(ref)).toEqual([]);
  }
  expect(bench.errors).toEqual([]);
});

describe('an owner at two nodes', () => {
  function setUp() {
    const { nodes, answer } = benchNodes();
    const ownersOf = ({ keys, registry, errors }: SessionBench) =>
      new OwnerSessions({ keys, registry, random: systemRandom, onError: (error) => errors.push(error) });
    const [one, other] = nodes;
    const owners = [ownersOf(one), ownersOf(other)] as const;
    const connect = async (to: OwnerSessions) => to.connect(await to.ofNewConnection(ALICE), ALICE);
    return { one, other, owners, connect, answer };
  }

  it('has one session, which each connection finds at either', async () => {
    const { owners, connect, answer } = setUp();
    const started = await answer(Promise.all([...owners, ...owners].map(connect)));
    const found = await answer(
      Promise.all(started.map(async ({ record }, index) => owners[index < 2 ? 1 : 0].ofConnection(record))),
    );
    const { ref } = await answer(owners[0].of(ALICE));
    expect(found.map((session) => session?.ref)).toEqual(new Array(4).fill(ref));
  });

  it('has ten connections together [security 39]', async () => {
    const { one, owners, connect, answer } = setUp();
    const many = Array.from({ length: 30 }, (_, index) => owners[index % 2 === 0 ? 0 : 1]);
    await answer(Promise.all(many.map(connect)));
    const { ref } = await answer(owners[0].of(ALICE));
    expect(await answer(Promise.resolve(one.store.refsOf(connectionIndex(ref))))).toHaveLength(10);
  });

  it('loses the connections of both when its session ends at one of them', async () => {
    const { one, other, owners, connect, answer } = setUp();
    const started = await answer(Promise.all(owners.map(connect)));
    const { ref } = await answer(owners[0].of(ALICE));
    await answer(other.registry.end(ref, 'operator'));
    await one.clock.advance(SECOND);
    const left = await answer(Promise.all(started.map(async ({ record }) => one.registry.get(record.ref))));
    expect(left).toEqual([undefined, undefined]);
    expect([...one.errors, ...other.errors]).toEqual([]);
  });
});

describe('several sessions of one owner', () => {
  const LAPTOP: OwnerIdentity = { ...ALICE, session: 'laptop' };
  const PHONE: OwnerIdentity = { ...ALICE, session: 'phone' };

  it('are distinguished by sign-in, and belong to one user [security 4]', async () => {
    const bench = new OwnersBench();
    const [laptop, phone, plain] = [
      await bench.logIn(LAPTOP),
      await bench.logIn(PHONE),
      await bench.logIn(ALICE),
    ];
    expect(new Set([laptop.ref, phone.ref, plain.ref]).size).toBe(3);
    expect(await bench.owners.of({ ...LAPTOP })).toMatchObject({ ref: laptop.ref });
    expect(new Set(await bench.owners.ofSameUser(phone))).toEqual(
      new Set([laptop.ref, phone.ref, plain.ref]),
    );
    await bench.registry.signOut(laptop.ref, 'logout');
    expect((await bench.owners.of(LAPTOP)).accounts).toEqual({});
    expect((await bench.owners.of(PHONE)).accounts).toHaveProperty('idp');
  });

  it('are no other user’s, whatever that user’s sign-in is called [security 4]', async () => {
    const bench = new OwnersBench();
    const { ref } = await bench.owners.of(LAPTOP);
    expect((await bench.owners.of({ ...BOB, session: 'laptop' })).ref).not.toBe(ref);
    expect((await bench.owners.of({ ...ALICE_ELSEWHERE, session: 'laptop' })).ref).not.toBe(ref);
  });

  it('keep their connections when tokens of another sign-in come with them', async () => {
    const bench = new OwnersBench();
    const { record } = await bench.connect(LAPTOP);
    expect(bench.owners.isOwn(record, PHONE)).toBe(true);
    expect(bench.owners.isOwn(record, BOB)).toBe(false);
    const { ref } = await bench.owners.of(LAPTOP);
    expect(await bench.owners.ofConnection(record)).toMatchObject({ ref });
  });

  it('have ten connections together [security 39]', async () => {
    const bench = new OwnersBench();
    const first = await bench.connect(LAPTOP);
    for (let count = 0; count < 9; count++) await bench.connect(PHONE);
    expect(await bench.isLive(first)).toBe(true);
    await bench.connect(PHONE);
    expect(await bench.isLive(first)).toBe(false);
  });
});

describe('a session for each connection', () => {
  const setUp = async () => {
    const bench = new OwnersBench({}, true);
    const connections = [await bench.connect(ALICE), await bench.connect(ALICE)] as const;
    const sessions = await Promise.all(connections.map(({ record }) => bench.owners.ofConnection(record)));
    const [one, other] = sessions;
    if (!one || !other) throw new Error('There are two.');
    return { bench, connections, one, other };
  };

  it('is not the other connection’s, nor that of requests without a connection', async () => {
    const { bench, one, other } = await setUp();
    const { ref } = await bench.owners.of(ALICE);
    expect(new Set([one.ref, other.ref, ref]).size).toBe(3);
    expect(new Set(await bench.owners.ofSameUser(one))).toEqual(new Set([one.ref, other.ref, ref]));
  });

  it('ends with it, and wipes its login; the others go on', async () => {
    const { bench, connections, one, other } = await setUp();
    for (const { ref, epoch } of [one, other])
      await bench.accounts.commitLogin({ ref, epoch }, 'idp', bench.provider.grant('alice'));
    await bench.registry.end(connections[0].record.ref, 'deleted');
    await bench.clock.advance(0);
    expect(await bench.registry.get(one.ref)).toBeUndefined();
    expect((await bench.registry.get(other.ref))?.accounts).toHaveProperty('idp');
  });

  it('makes room with its connection, of which there are ten [security 39]', async () => {
    const { bench, one } = await setUp();
    for (let count = 0; count < 9; count++) await bench.connect(ALICE);
    await bench.clock.advance(0);
    expect(await bench.registry.get(one.ref)).toBeUndefined();
    expect(await bench.sessionCount()).toBe(20);
  });

  it('leaves nothing behind', async () => {
    const { bench, connections } = await setUp();
    for (const { record } of connections) await bench.registry.end(record.ref, 'deleted');
    await bench.clock.advance(0);
    expect(await bench.sessionCount()).toBe(0);
  });
});
