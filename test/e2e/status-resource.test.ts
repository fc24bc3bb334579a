import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { Browser } from '../support/browser.js';
import { type EventReader, readEvents } from '../support/event-reader.js';
import {
  type InProcessNotes,
  type InProcessNotesOptions,
  startInProcessNotes,
} from '../support/in-process-notes.js';
import { eventually } from '../support/journal.js';
import {
  client2026,
  connect2025,
  JSON_HEADERS,
  logIn,
  messageOf,
  type RawClient,
  request2026,
  send,
  startLogin,
} from '../support/raw-mcp.js';
import { sharedNodes } from '../support/shared-sessions.js';

const STATUS_URI = 'session://status';
const HANDLE_META_KEY = 'dev.mcp-sessions/session';
const MINUTE_MS = 60_000;
const UPDATED = 'notifications/resources/updated';
const browser = new Browser();

const streams: EventReader[] = [];
afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});

async function start(options: InProcessNotesOptions = {}): Promise<InProcessNotes> {
  const notes = await startInProcessNotes(options);
  onTestFinished(() => notes.close());
  return notes;
}

async function kept(opening: Promise<EventReader>): Promise<EventReader> {
  const stream = await opening;
  streams.push(stream);
  return stream;
}

const headers2025 = ({ secret }: RawClient) => ({ ...JSON_HEADERS, 'mcp-session-id': secret });

function request2025(mcp: string, client: RawClient, method: string, params: Record<string, unknown>) {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 'a request', method, params });
  return send(mcp, { method: 'POST', headers: headers2025(client), body });
}

function openStream(mcp: string, client: RawClient, headers: Record<string, string> = {}) {
  return kept(readEvents(mcp, { headers: { ...headers2025(client), ...headers } }));
}

async function subscribe(mcp: string, client: RawClient): Promise<void> {
  const { result } = messageOf(await request2025(mcp, client, 'resources/subscribe', { uri: STATUS_URI }));
  expect(result).toBeDefined();
}

/** A `subscriptions/listen` with a handle. */
function listen(mcp: string, handle: string | undefined, uris: readonly string[] = [STATUS_URI]) {
  const meta = handle === undefined ? {} : { [HANDLE_META_KEY]: handle };
  const params = { notifications: { resourceSubscriptions: uris } };
  const {
    method = 'POST',
    headers = {},
    body = '',
  } = request2026('subscriptions/listen', params, { id: 7, meta });
  return kept(readEvents(mcp, { method, headers, body }));
}

const acknowledged = (stream: EventReader) =>
  stream.messages.first(
    'the acknowledgement',
    ({ method }) => method === 'notifications/subscriptions/acknowledged',
  );

const updates = ({ messages }: EventReader) => messages.entries.filter(({ method }) => method === UPDATED);

/** Waits for that number of status updates. */
async function updated(stream: EventReader, count: number): Promise<void> {
  await stream.messages.until(`${count} updates`, () => updates(stream).length >= count || undefined);
  for (const { params } of updates(stream)) expect(params?.uri).toBe(STATUS_URI);
}

async function read2025(mcp: string, client: RawClient): Promise<unknown> {
  const { result } = messageOf(await request2025(mcp, client, 'resources/read', { uri: STATUS_URI }));
  return statusOf(result);
}

function statusOf(result: unknown): unknown {
  const { contents } = result as { contents: { uri: string; text: string }[] };
  expect(contents.map(({ uri }) => uri)).toEqual([STATUS_URI]);
  return JSON.parse(contents[0]?.text ?? '');
}

/** A status without its remaining times, which change all the time. */
function withoutSeconds(status: unknown): unknown {
  return JSON.parse(JSON.stringify(status, (key, value) => (key.endsWith('InSeconds') ? 'some' : value)));
}

describe('the status of a session, as a resource', () => {
  it('has the same URI for all clients, and the content of `session_status` for each session [security 58]', async () => {
    const { mcp } = await start();
    const alice = await logIn(await connect2025(mcp), browser, 'alice');
    const bob = await logIn(client2026(mcp), browser, 'bob');
    const anonymous = await connect2025(mcp);
    const read2026 = async (meta: Record<string, string>) =>
      messageOf(await send(mcp, request2026('resources/read', { uri: STATUS_URI }, { meta })));

    const told = (await alice.call('session_status')).structured;
    expect(withoutSeconds(await read2025(mcp, alice))).toEqual(withoutSeconds(told));
    expect(await read2025(mcp, alice)).toMatchObject({ accounts: [{ subject: 'alice' }] });
    const ofBob = await read2026({ [HANDLE_META_KEY]: bob.secret });
    expect(statusOf(ofBob.result)).toMatchObject({ accounts: [{ subject: 'bob' }] });
    expect(await read2025(mcp, anonymous)).toMatchObject({ state: 'anonymous' });
    expect(statusOf((await read2026({})).result)).toMatchObject({ state: 'anonymous' });
    const ofUnknown = await read2026({ [HANDLE_META_KEY]: 'x'.repeat(43) });
    expect(ofUnknown.error).toEqual({ code: -32602, message: expect.stringMatching(/call `login`/i) });
  });

  it('is in every list of resources, with and without a login [security 55]', async () => {
    const { mcp } = await start();
    const client = await connect2025(mcp);
    const list = async () => messageOf(await request2025(mcp, client, 'resources/list', {})).result;
    const before = await list();
    expect(before).toMatchObject({ resources: [{ uri: STATUS_URI }] });
    await logIn(client, browser, 'alice');
    expect(await list()).toEqual(before);
  });
});

describe('a 2025 client that subscribed to its status', () => {
  it('is notified of its login, refreshes and logout, and other clients are not [security 58]', async () => {
    const { mcp, next } = await start();
    const [alice, bob, carol] = [await connect2025(mcp), await connect2025(mcp), await connect2025(mcp)];
    const [ofAlice, ofBob, ofCarol] = [
      await openStream(mcp, alice),
      await openStream(mcp, bob),
      await openStream(mcp, carol),
    ];
    await subscribe(mcp, alice);
    await subscribe(mcp, bob);

    const loginUrl = await startLogin(alice);
    await updated(ofAlice, 1);
    await browser.logIn(loginUrl, 'alice');
    await updated(ofAlice, 2);
    const signedOut = next(({ type }) => type === 'session.signed_out');
    await alice.call('logout');
    await signedOut;
    await updated(ofAlice, 3);
    await logIn(carol, browser, 'carol');

    // A notification to the others would have arrived before this one.
    await subscribe(mcp, carol);
    await carol.call('logout');
    await updated(ofCarol, 1);
    expect(updates(ofCarol)).toHaveLength(1);
    expect(updates(ofBob)).toEqual([]);
  });

  it('is not notified after it has unsubscribed', async () => {
    const { mcp } = await start();
    const client = await connect2025(mcp);
    const stream = await openStream(mcp, client);
    await subscribe(mcp, client);
    await startLogin(client);
    await updated(stream, 1);
    await request2025(mcp, client, 'resources/unsubscribe', { uri: STATUS_URI });
    await client.call('logout');
    await subscribe(mcp, client);
    await startLogin(client);
    await updated(stream, 2);
    expect(updates(stream)).toHaveLength(2);
  });

  it('is notified before its login ends, and when it ends', async () => {
    const clock = new VirtualClock();
    const { mcp, events } = await start({ lifetimes: { absoluteMs: 20_000 }, runtime: { clock } });
    const client = await connect2025(mcp);
    const stream = await openStream(mcp, client);
    await logIn(client, browser, 'alice');
    await subscribe(mcp, client);
    await clock.advance(16_000);
    await updated(stream, 1);
    await clock.advance(4000);
    await updated(stream, 2);
    const types = events.map(({ type }) => type);
    expect(types.indexOf('session.expires_soon')).toBeGreaterThan(0);
    expect(types.indexOf('session.signed_out')).toBeGreaterThan(types.indexOf('session.expires_soon'));
    expect(await read2025(mcp, client)).toMatchObject({ state: 'anonymous', signedOut: 'absolute' });
  });

  it('gets the notification of its sign-out, and no earlier one, when it resumes its stream', async () => {
    const clock = new VirtualClock();
    const { mcp } = await start({
      lifetimes: { disconnectGraceMs: 20 * MINUTE_MS, absoluteMs: 10 * MINUTE_MS },
      runtime: { clock },
    });
    const client = await connect2025(mcp);
    const stream = await openStream(mcp, client);
    await subscribe(mcp, client);
    const loginUrl = await startLogin(client);
    await updated(stream, 1);
    const [lastEventId = ''] = stream.eventIds.entries.slice(-1);
    stream.close();
    await browser.logIn(loginUrl, 'alice');
    await clock.advance(10 * MINUTE_MS);
    const returned = await openStream(mcp, client, { 'last-event-id': lastEventId });
    expect(returned.status).toBe(200);
    await updated(returned, 1);
    expect(updates(returned)).toHaveLength(1);
  });

  it('can subscribe to resources of the author, whose server handles them', async () => {
    const subscribed: string[] = [];
    const { mcp } = await start({
      tools: ({ server }) => {
        server.setRequestHandler('resources/subscribe', ({ params }) => {
          subscribed.push(params.uri);
          return {};
        });
      },
    });
    const client = await connect2025(mcp);
    await subscribe(mcp, client);
    const other = await request2025(mcp, client, 'resources/subscribe', { uri: 'notes://all' });
    expect(messageOf(other).error).toBeUndefined();
    expect(subscribed).toEqual(['notes://all']);
  });
});

describe('a resource of the author', () => {
  const uri = 'notes://all';

  it('sends updates to its subscribers of both eras only', async () => {
    const { mcp, sessions } = await start();
    const [subscribed, other] = [await connect2025(mcp), await connect2025(mcp)];
    const streams = [await openStream(mcp, subscribed), await openStream(mcp, other)] as const;
    await request2025(mcp, subscribed, 'resources/subscribe', { uri });
    await subscribe(mcp, other);
    const listening = await listen(mcp, undefined, [uri]);
    const silent = await listen(mcp, undefined);
    for (const stream of [listening, silent]) await acknowledged(stream);
    sessions.resourceUpdatedForAll(uri);
    for (const stream of [streams[0], listening]) {
      const update = await stream.messages.first('the update', ({ method }) => method === UPDATED);
      expect(update.params?.uri).toBe(uri);
    }
    await startLogin(other);
    await updated(streams[1], 1);
    expect([updates(streams[1]).length, updates(silent).length]).toEqual([1, 0]);
  });

  it('sends updates of one session to the clients of that session only [security 58]', async () => {
    const { mcp } = await start({
      tools: (server, context) => {
        server.registerTool('touch', { description: 'Changes the notes of the user.' }, async () => {
          await context.session().resourceUpdated(uri);
          return { content: [] };
        });
      },
    });
    const connections = [await connect2025(mcp), await connect2025(mcp)];
    const users = [
      await logIn(client2026(mcp), browser, 'alice'),
      await logIn(client2026(mcp), browser, 'bob'),
    ];
    const clients = [...connections, ...users];
    const own = [
      ...(await Promise.all(connections.map((client) => openStream(mcp, client)))),
      ...(await Promise.all(users.map(({ secret }) => listen(mcp, secret, [uri])))),
    ];
    const [anonymous, others] = [await listen(mcp, undefined, [uri]), await listen(mcp, users[0]?.secret)];
    for (const client of connections) await request2025(mcp, client, 'resources/subscribe', { uri });
    for (const stream of [...own.slice(2), anonymous, others]) await acknowledged(stream);
    const uris = (stream: EventReader) => updates(stream).map(({ params }) => params?.uri);
    for (const [index, client] of clients.entries()) {
      expect((await client.call('touch')).isError).not.toBe(true);
      const stream = own[index];
      await stream?.messages.first('the update', ({ method }) => method === UPDATED);
      expect(own.map((each) => uris(each).length)).toEqual(own.map((_, other) => (other <= index ? 1 : 0)));
    }
    expect([anonymous, others].flatMap((stream) => uris(stream))).toEqual([]);
  });

  it('can be one of a hundred subscriptions of a session', async () => {
    const { mcp } = await start();
    const client = await connect2025(mcp);
    for (let number = 0; number < 100; number++) {
      const { error } = messageOf(
        await request2025(mcp, client, 'resources/subscribe', { uri: `${uri}/${number}` }),
      );
      expect(error).toBeUndefined();
    }
    const refused = messageOf(await request2025(mcp, client, 'resources/subscribe', { uri: `${uri}/100` }));
    expect(refused.error).toMatchObject({ code: -32602, message: expect.stringMatching(/Unsubscribe/) });
    await request2025(mcp, client, 'resources/unsubscribe', { uri: `${uri}/7` });
    const again = messageOf(await request2025(mcp, client, 'resources/subscribe', { uri: `${uri}/100` }));
    expect(again.error).toBeUndefined();
  });
});

describe('a 2026 client that listens to its status', () => {
  it('is notified about its own session only [security 58]', async () => {
    const { mcp } = await start();
    const alice = await logIn(client2026(mcp), browser, 'alice');
    const bob = await logIn(client2026(mcp), browser, 'bob');
    const [ofAlice, ofBob, ofAnonymous, silent] = [
      await listen(mcp, alice.secret),
      await listen(mcp, bob.secret),
      await listen(mcp, undefined),
      await listen(mcp, alice.secret, ['notes://all']),
    ];
    for (const stream of [ofAlice, ofBob, ofAnonymous, silent]) await acknowledged(stream);
    await alice.call('logout');
    await updated(ofAlice, 1);
    await bob.call('logout');
    await updated(ofBob, 1);
    await Promise.all([ofAlice.ended, ofBob.ended, silent.ended]);
    expect([ofAlice, ofBob, ofAnonymous, silent].map((stream) => updates(stream).length)).toEqual([
      1, 1, 0, 0,
    ]);
  });

  it('gets a graceful closure when its session ends [security 10]', async () => {
    const { mcp } = await start();
    const client = await logIn(client2026(mcp), browser, 'alice');
    const stream = await listen(mcp, client.secret);
    await acknowledged(stream);
    await client.call('logout');
    await stream.ended;
    const [first, ...others] = stream.messages.entries;
    expect(first?.method).toBe('notifications/subscriptions/acknowledged');
    expect(others.map(({ method, id }) => method ?? id)).toEqual([UPDATED, 7]);
    expect(others.at(-1)?.result).toEqual({
      resultType: 'complete',
      _meta: { 'io.modelcontextprotocol/subscriptionId': 7 },
    });
  });

  it('is refused with an invalid handle, and told how to get a valid one [security 55]', async () => {
    const { mcp } = await start();
    const client = await logIn(client2026(mcp), browser, 'alice');
    await client.call('logout');
    const ask = (handle: string) =>
      send(
        mcp,
        request2026(
          'subscriptions/listen',
          { notifications: {} },
          { id: 7, meta: { [HANDLE_META_KEY]: handle } },
        ),
      );
    const ended = await ask(client.secret);
    expect(ended.status).toBe(400);
    expect(JSON.parse(ended.text)).toMatchObject({
      id: 7,
      error: { code: -32602, message: expect.stringMatching(/user logged out.*Call `login`/) },
    });
    expect(JSON.parse((await ask('x'.repeat(43))).text)).toMatchObject({
      error: { message: expect.stringMatching(/No session has this handle/) },
    });
  });

  // Each of several servers counts its own streams.
  it.skipIf(sharedNodes() !== undefined)(
    'may have four streams, and gets Retry-After for more [security 40]',
    async () => {
      const { mcp } = await start();
      const client = await logIn(client2026(mcp), browser, 'alice');
      const four = await Promise.all(Array.from({ length: 4 }, () => listen(mcp, client.secret)));
      for (const stream of four) await acknowledged(stream);
      const fifth = request2026(
        'subscriptions/listen',
        { notifications: {} },
        { meta: { [HANDLE_META_KEY]: client.secret } },
      );
      const refused = await send(mcp, fifth);
      expect([refused.status, refused.headers['retry-after']]).toEqual([503, '60']);
      four[0]?.close();
      await eventually('room for one more', async () => {
        const another = await listen(mcp, client.secret);
        return another.status === 200 || undefined;
      });
    },
  );
});
