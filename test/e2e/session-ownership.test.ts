import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { SessionEvent } from '../../packages/sessions/src/index.js';
import { SESSION_META_KEY, STATUS_URI } from '../../packages/sessions/src/index.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import { Browser } from '../support/browser.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RegisteredClient, registerMcpClient } from '../support/mcp-tokens.js';
import { portsOver } from '../support/ports-with.js';
import {
  call2025,
  client2026,
  connect2025,
  initialize,
  JSON_HEADERS,
  logIn,
  messageOf,
  type RawAnswer,
  type RawClient,
  type RawRequest,
  type RawWay,
  request2026,
  send,
  startLogin,
} from '../support/raw-mcp.js';
import { locationOf, StepBrowser } from '../support/step-browser.js';
import { eventContaining, openWire, primingId, Wire2025 } from './wire-stream.js';

const MINUTE = 60_000;
/** A well-formed id that was never issued. */
const UNKNOWN_ID = 'unknown-id-unknown-id-unknown-id-unknown-id';

const clock = new ManualClock();
const records = new Map<SessionRecord['ref'], SessionRecord>();
const log: string[] = [];
let notes: InProcessNotes;
let otherIssuer: InProcessNotes;
let editor: RegisteredClient;
let terminal: RegisteredClient;
let stranger: RegisteredClient;

beforeAll(async () => {
  [notes, otherIssuer] = await Promise.all([
    startInProcessNotes({
      runtime: { clock },
      createPorts: portsOver(records),
      logger: pino({ level: 'info' }, { write: (line) => log.push(line) }),
      access: ({ issuer }) => ({ issuer, requiredScopes: ['mcp'] }),
      tools: (server, sessions) => {
        const act = async () => ({ content: [{ type: 'text' as const, text: 'done' }] });
        server.registerTool('act', { description: 'Needs a login.' }, sessions.requireLogin(act));
        const repeat = { description: 'Has a stream.', inputSchema: z.object({ text: z.string() }) };
        server.registerTool('repeat', repeat, async ({ text }, { mcpReq }) => {
          const params = { progressToken: 'progress', progress: 1 };
          await mcpReq.notify({ method: 'notifications/progress', params });
          return { content: [{ type: 'text' as const, text }] };
        });
        server.registerPrompt('hello', { description: 'Says hello.' }, async () => ({
          messages: [{ role: 'user', content: { type: 'text', text: 'hello' } }],
        }));
      },
    }),
    startInProcessNotes({ access: ({ issuer }) => ({ issuer }) }),
  ]);
  // Longer than any test, so that no refresh interferes.
  notes.provider.accessTokenSeconds = 7200;
  otherIssuer.provider.accessTokenSeconds = 7200;
  editor = await registerMcpClient(notes.provider.issuer, notes.mcp);
  terminal = await registerMcpClient(notes.provider.issuer, notes.mcp);
  stranger = await registerMcpClient(otherIssuer.provider.issuer, notes.mcp);
});

afterAll(() => Promise.all([notes.close(), otherIssuer.close()]));

let users = 0;
/** A unique user name that a test can search for in every response. */
const newUser = () => `user-${++users}-canary`;

type Way = RawWay & { readonly headers: Readonly<Record<string, string>> };

async function wayOf(user: string, client: RegisteredClient): Promise<Way> {
  return { headers: { authorization: `Bearer ${await client.tokenFor(user)}` } };
}

/** The callers that try to use the session of a victim. */
const INTRUDERS: readonly (readonly [who: string, wayIn: (victim: string) => Promise<Way>])[] = [
  ['another user', () => wayOf(newUser(), editor)],
  ['the same user with another client', (victim) => wayOf(victim, terminal)],
];
/** A caller with a token of an issuer that the server does not accept. */
const STRANGER = ['the same name of another issuer', (victim: string) => wayOf(victim, stranger)] as const;

const CALLS: readonly (readonly [tool: string, args: Record<string, unknown>])[] = [
  ['whoami', {}],
  ['list_notes', {}],
  ['add_note', { text: 'of an intruder' }],
  ['act', {}],
  ['login', {}],
  ['login', { code: 'ABCD-EFGH' }],
  ['logout', {}],
  ['logout', { provider: 'sample' }],
  ['logout', { everywhere: true }],
  ['session_status', {}],
];

const rpc = (method: string, params: Record<string, unknown> = {}) =>
  JSON.stringify({ jsonrpc: '2.0', id: 7, method, params });

const INITIALIZE_PARAMS = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'raw', version: '1' },
};

/** Every request of a 2025 client, with every method. */
function requestsOf2025(lastEventId: string): readonly (readonly [what: string, request: RawRequest])[] {
  const posts: (readonly [string, string])[] = [
    ...CALLS.map(([tool, args]) => [`${tool} ${JSON.stringify(args)}`, call2025(tool, args)] as const),
    ['tools/list', rpc('tools/list')],
    ['resources/list', rpc('resources/list')],
    ['resources/read', rpc('resources/read', { uri: STATUS_URI })],
    ['resources/subscribe', rpc('resources/subscribe', { uri: STATUS_URI })],
    ['resources/unsubscribe', rpc('resources/unsubscribe', { uri: STATUS_URI })],
    ['prompts/list', rpc('prompts/list')],
    ['prompts/get', rpc('prompts/get', { name: 'hello' })],
    ['ping', rpc('ping')],
    ['initialize', rpc('initialize', INITIALIZE_PARAMS)],
    ['a notification', JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })],
    [
      'a cancellation',
      JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }),
    ],
    ['an answer to a ping', JSON.stringify({ jsonrpc: '2.0', id: 'ping-1', result: {} })],
    ['a batch', `[${rpc('ping')},${call2025('session_status')}]`],
  ];
  const revision = { 'mcp-protocol-version': '2025-11-25' };
  return [
    ...posts.map(
      ([what, body]) =>
        [`POST of ${what}`, { method: 'POST', headers: { ...JSON_HEADERS, ...revision }, body }] as const,
    ),
    ['GET', { headers: { ...revision, accept: 'text/event-stream' } }],
    [
      'GET after an event',
      { headers: { ...revision, accept: 'text/event-stream', 'last-event-id': lastEventId } },
    ],
    ['DELETE', { method: 'DELETE', headers: revision }],
  ];
}

const sendWith = (request: RawRequest, ...headers: readonly Readonly<Record<string, string>>[]) =>
  send(notes.mcp, { ...request, headers: Object.assign({}, request.headers, ...headers) });

/** A response without its `date`. */
function unhurried({ status, headers, text }: RawAnswer) {
  const { date: _, ...rest } = headers;
  return { status, headers: rest, text };
}

/** A logged-in 2025 client with a standalone stream, and an event that it could resume from. */
async function victimOf2025() {
  const name = newUser();
  const way = await wayOf(name, editor);
  const client = await logIn(await connect2025(notes.mcp, way), new Browser(), name);
  await client.call('add_note', { text: `note of ${name}` });
  const headers = { ...way.headers, 'mcp-session-id': client.secret };
  const call = await new Wire2025(client.secret, way).call(notes.mcp, 'repeat', {
    text: `note of ${name}`,
  });
  const eventId = await primingId(call);
  await call.over;
  return { name, way, client, headers, eventId };
}

/** All current records. */
const allRecords = () => new Map(records);

/** The expected status after that time, without any activity. */
function aged(status: Readonly<Record<string, unknown>>, seconds: number): unknown {
  return JSON.parse(JSON.stringify(status), (name, value) =>
    name.endsWith('InSeconds') ? value - seconds : value,
  );
}

const eventsSince = (count: number): SessionEvent['type'][] =>
  notes.events.slice(count).map(({ type }) => type);

describe.each([...INTRUDERS, STRANGER])('the id of a 2025 connection, used by %s,', (who, wayIn) => {
  it('gets the same response as an unknown id, without effect on its owner [security 4, 6]', async () => {
    const victim = await victimOf2025();
    const { headers } = await wayIn(victim.name);
    const status = (await victim.client.call('session_status')).structured;
    clock.advance(MINUTE);
    const before = allRecords();
    const eventsBefore = notes.events.length;
    for (const [what, request] of requestsOf2025(victim.eventId)) {
      const answer = await sendWith(request, headers, { 'mcp-session-id': victim.client.secret });
      const toUnknown = await sendWith(request, headers, { 'mcp-session-id': UNKNOWN_ID });
      expect(unhurried(answer), what).toEqual(unhurried(toUnknown));
      expect(answer.status, what).toBe(who === STRANGER[0] ? 401 : 404);
      expect(answer.text, what).not.toContain('canary');
    }
    // The attempt has created no session.
    expect(records).toEqual(before);
    expect(new Set(eventsSince(eventsBefore))).toEqual(
      new Set([who === STRANGER[0] ? 'token.refused' : 'session.not_owned']),
    );

    const after = (await victim.client.call('session_status')).structured;
    // The minute counts as idle, because the attempts are no activity of the owner.
    expect(after).toEqual(aged(status, 60));
    expect((await victim.client.call('list_notes')).structured).toMatchObject({
      notes: [{ text: `note of ${victim.name}` }],
    });
  });

  it('does not disturb the stream of its owner [security 4, 5, 58]', async () => {
    const victim = await victimOf2025();
    const intruder = await wayIn(victim.name);
    const stream = await openWire(notes.mcp, { headers: { ...victim.headers, accept: 'text/event-stream' } });
    await sendWith(
      { method: 'POST', headers: JSON_HEADERS, body: rpc('resources/subscribe', { uri: STATUS_URI }) },
      victim.headers,
    );
    for (const [, request] of requestsOf2025(victim.eventId)) {
      await sendWith(request, intruder.headers, { 'mcp-session-id': victim.client.secret });
    }
    await victim.client.call('logout');
    const { data } = await eventContaining(stream, 'notifications/resources/updated');
    expect(JSON.parse(data)).toMatchObject({ params: { uri: STATUS_URI } });
    expect(stream.events.entries.filter(({ data }) => data.includes('"method"'))).toHaveLength(1);
    stream.drop();
  });
});

describe.each(INTRUDERS)('an attempt of %s to use another connection', (_who, wayIn) => {
  it('is an event and an audit log entry about that connection [security 48, 49]', async () => {
    const victim = await victimOf2025();
    const { headers } = await wayIn(victim.name);
    const heardOf = notes.next(({ type }) => type === 'session.not_owned');
    const logged = log.length;
    await sendWith({ method: 'DELETE' }, headers, { 'mcp-session-id': victim.client.secret });
    const event = await heardOf;
    const { session, logId } = { session: undefined, logId: undefined, ...event };
    const started = notes.events.find((each) => each.type === 'session.started' && each.logId === logId);
    expect(started).toMatchObject({ kind: 'owned-connection' });
    const lines = log.slice(logged).map((line) => JSON.parse(line));
    expect(lines).toEqual([
      expect.objectContaining({
        event: 'session.not_owned',
        session,
        logId,
        level: 40,
      }),
    ]);
    expect(log.slice(logged).join('')).not.toContain(victim.client.secret);
  });

  it('does not get events of the owner, even over a connection of the intruder [security 4, 8]', async () => {
    const victim = await victimOf2025();
    const way = await wayIn(victim.name);
    const own = await connect2025(notes.mcp, way);
    await sendWith(
      { method: 'POST', headers: JSON_HEADERS, body: rpc('resources/subscribe', { uri: STATUS_URI }) },
      way.headers,
      { 'mcp-session-id': own.secret },
    );
    const resume = (lastEventId: string) =>
      openWire(notes.mcp, {
        headers: {
          ...way.headers,
          accept: 'text/event-stream',
          'mcp-session-id': own.secret,
          'last-event-id': lastEventId,
        },
      });
    // As it is answered for every call that this connection knows nothing of.
    for (const lastEventId of [victim.eventId, 'no-call/1']) {
      const nothing = await resume(lastEventId);
      expect([nothing.status, await nothing.text]).toEqual([204, '']);
    }
    const stream = await resume('unknown');
    expect(stream.status).toBe(200);
    await startLogin(own);
    await eventContaining(stream, 'notifications/resources/updated');
    expect(JSON.stringify(stream.events.entries)).not.toContain('canary');
    stream.drop();
  });
});

describe('the events of a 2025 connection', () => {
  it('are forgotten when the user logs out over another connection of the session [security 8]', async () => {
    const { name, way, headers, eventId } = await victimOf2025();
    const resume = () =>
      openWire(notes.mcp, { headers: { ...headers, accept: 'text/event-stream', 'last-event-id': eventId } });
    expect(await (await resume()).text).toContain(`note of ${name}`);
    await (await connect2025(notes.mcp, way)).call('logout');
    const nothing = await resume();
    expect([nothing.status, await nothing.text]).toEqual([204, '']);
  });
});

/** Every request of a 2026 client. Each names the id of another user in one of these ways. */
const PLACES: readonly (readonly [where: string, name: (id: string) => Naming])[] = [
  ['as the session of 2025', (id) => ({ headers: { 'mcp-session-id': id } })],
  ['as an argument', (id) => ({ args: { session: id } })],
  ['beside the arguments', (id) => ({ meta: { [SESSION_META_KEY]: id } })],
];

interface Naming {
  readonly headers?: Readonly<Record<string, string>>;
  readonly args?: Record<string, unknown>;
  readonly meta?: Record<string, unknown>;
}

function requestsOf2026({ args = {}, meta = {} }: Naming): readonly (readonly [string, RawRequest])[] {
  return [
    // Through which client it does so is its user's choice.
    ...CALLS.filter(([, { everywhere }]) => everywhere === undefined).map(
      ([name, own]) =>
        [
          `${name} ${JSON.stringify(own)}`,
          request2026('tools/call', { name, arguments: { ...own, ...args } }, { meta }),
        ] as const,
    ),
    ['tools/list', request2026('tools/list', {}, { meta })],
    ['resources/read', request2026('resources/read', { uri: STATUS_URI }, { meta })],
    ['prompts/get', request2026('prompts/get', { name: 'hello' }, { meta })],
    ['server/discover', request2026('server/discover', {}, { meta })],
  ];
}

describe.each([...INTRUDERS, STRANGER])('in 2026, %s', (_who, wayIn) => {
  it.each(PLACES)(
    'with a 2025 id %s gets the same response as with an unknown id, without effect on its owner [security 4, 54, 57]',
    async (_where, name) => {
      const victim = await victimOf2025();
      const before = allRecords();
      const { headers } = await wayIn(victim.name);
      // The status of the intruder's own session is the same in both rounds.
      await sendWith(request2026('tools/call', { name: 'login', arguments: {} }), headers);
      clock.advance(MINUTE);
      const [known, unknown] = [name(victim.client.secret), name(UNKNOWN_ID)];
      const toUnknown = requestsOf2026(unknown);
      for (const [index, [what, request]] of requestsOf2026(known).entries()) {
        const answer = await sendWith(request, headers, known.headers ?? {});
        const other = await sendWith(toUnknown[index]?.[1] ?? {}, headers, unknown.headers ?? {});
        expect(withoutLink(unhurried(answer)), what).toEqual(withoutLink(unhurried(other)));
        expect(answer.headers, what).not.toHaveProperty('mcp-session-id');
        expect(answer.text, what).not.toContain(`note of ${victim.name}`);
      }
      for (const [ref, record] of before) expect(records.get(ref)).toBe(record);
      expect((await victim.client.call('whoami')).structured).toMatchObject({ subject: victim.name });
    },
  );
});

/** Every login has another link. */
function withoutLink(answer: ReturnType<typeof unhurried>) {
  const { 'content-length': _, ...headers } = answer.headers;
  return { ...answer, headers, text: answer.text.replaceAll(/\/connect\/[\w-]+/g, '/connect/…') };
}

describe('the notifications of two owners', () => {
  it.each(INTRUDERS)(
    'are separate: a 2026 listener gets none about %s [security 55, 58]',
    async (_who, wayIn) => {
      const name = newUser();
      const [way, others] = [await wayOf(name, editor), await wayIn(name)];
      const listen = request2026('subscriptions/listen', {
        notifications: { resourceSubscriptions: [STATUS_URI] },
      });
      const [stream, othersStream] = await Promise.all(
        [way, others].map(async ({ headers }) => {
          const opened = await openWire(notes.mcp, { ...listen, headers: { ...listen.headers, ...headers } });
          await eventContaining(opened, 'notifications/subscriptions/acknowledged');
          return opened;
        }),
      );
      const client = client2026(notes.mcp, undefined, way);
      await logIn(client, new Browser(), name);
      await client.call('logout');
      await eventContaining(stream!, 'notifications/resources/updated');
      // A notification to the other stream would have arrived before this one.
      await startLogin(client2026(notes.mcp, undefined, others));
      await eventContaining(othersStream!, 'notifications/resources/updated');
      const updates = othersStream!.events.entries.filter(({ data }) => data.includes('updated'));
      expect(updates).toHaveLength(1);
      for (const each of [stream, othersStream]) each?.drop();
    },
  );
});

describe.each(INTRUDERS)('the request state of a call that waits for a login, used by %s,', (_who, wayIn) => {
  const ELICITING = { capabilities: { elicitation: { url: {} } } };

  it.each(['login', 'act'])(
    'is refused for `%s`, and its owner can continue with it [security 16]',
    async (tool) => {
      const name = newUser();
      const [way, others] = [await wayOf(name, editor), await wayIn(name)];
      const call = (headers: Way['headers'], more: Record<string, unknown> = {}) =>
        sendWith(request2026('tools/call', { name: tool, arguments: {}, ...more }, ELICITING), headers);
      const { result } = messageOf(await call(way.headers));
      const requestState = result?.requestState;
      const link = /http[^"]*\/connect\/[\w-]+/.exec(JSON.stringify(result))?.[0] ?? '';
      const back = (state: string | undefined) => ({
        requestState: state,
        inputResponses: { login: { action: 'accept' } },
      });
      await new Browser().logIn(link, name);

      const replayed = await call(others.headers, back(requestState));
      const madeUp = await call(others.headers, back('made-up'));
      expect(messageOf(replayed).result ?? messageOf(replayed).error).toBeDefined();
      expect(replayed.text).not.toContain(name);
      expect(replayed.text).not.toContain('done');
      expect(replayed.text).toMatch(/requestState is invalid/);
      expect(madeUp.status).toBe(replayed.status);

      const went = messageOf(await call(way.headers, back(requestState)));
      expect(JSON.stringify(went.result)).toMatch(tool === 'login' ? new RegExp(name) : /done/);
    },
  );
});

describe('an id', () => {
  it.each(INTRUDERS)(
    'from before the login is not valid afterwards for %s [security 4, 7]',
    async (_who, wayIn) => {
      const name = newUser();
      const client = await connect2025(notes.mcp, await wayOf(name, editor));
      const { headers } = await wayIn(name);
      const whoami: RawRequest = { method: 'POST', headers: JSON_HEADERS, body: call2025('whoami') };
      const known = { 'mcp-session-id': client.secret };
      expect((await sendWith(whoami, headers, known)).status).toBe(404);
      await logIn(client, new Browser(), name);
      expect((await sendWith(whoami, headers, known)).status).toBe(404);
      expect((await client.call('whoami')).structured).toMatchObject({ subject: name });
    },
  );

  it.each(INTRUDERS)(
    'of %s that is planted on another user is refused [security 4, 6]',
    async (_who, wayIn) => {
      const name = newUser();
      const attacker = await connect2025(notes.mcp, await wayIn(name));
      const { headers } = await wayOf(name, editor);
      const planted = { 'mcp-session-id': attacker.secret };
      for (const [what, request] of requestsOf2025('event')) {
        expect((await sendWith(request, headers, planted)).status, what).toBe(404);
      }
      expect((await attacker.call('session_status')).structured).toMatchObject({ state: 'anonymous' });
    },
  );

  it('that a client chose is not accepted, and is not used for a new session [security 6]', async () => {
    const { headers } = await wayOf(newUser(), editor);
    const chosen = await initialize(notes.mcp, { headers: { ...headers, 'mcp-session-id': UNKNOWN_ID } });
    expect(chosen.status).toBe(404);
    expect(chosen.headers).not.toHaveProperty('mcp-session-id');
    const { secret } = await connect2025(notes.mcp, { headers });
    expect(secret).not.toBe(UNKNOWN_ID);
    const answer = await sendWith(
      { method: 'POST', headers: JSON_HEADERS, body: call2025('session_status') },
      headers,
      { 'mcp-session-id': UNKNOWN_ID },
    );
    expect(answer.status).toBe(404);
  });

  it('is unknown after DELETE, to its owner and to all others [security 6, 34]', async () => {
    const name = newUser();
    const way = await wayOf(name, editor);
    const other: RawClient = client2026(notes.mcp, undefined, way);
    const client = await logIn(await connect2025(notes.mcp, way), new Browser(), name);
    expect((await client.end()).status).toBe(200);
    const others = await wayOf(newUser(), editor);
    for (const { headers } of [way, others]) {
      for (const [what, request] of requestsOf2025('event')) {
        const answer = await sendWith(request, headers, { 'mcp-session-id': client.secret });
        const toUnknown = await sendWith(request, headers, { 'mcp-session-id': UNKNOWN_ID });
        expect(unhurried(answer), what).toEqual(unhurried(toUnknown));
        expect(answer.status, what).toBe(404);
      }
    }
    // The connection has ended. The session of the owner has not.
    expect((await other.call('whoami')).structured).toMatchObject({ subject: name });
  });
});

describe('a callback of a login', () => {
  it.each(['state', 'code', 'iss'])(
    'with the parameter `%s` twice is refused, and its code is not redeemed [security 46]',
    async (parameter) => {
      const name = newUser();
      const client = client2026(notes.mcp, undefined, await wayOf(name, editor));
      const browser = new StepBrowser();
      const callback = await browser.logInUntilCallback(await startLogin(client), name);
      const twice = new URL(callback);
      twice.searchParams.append(parameter, callback.searchParams.get(parameter) ?? '');
      expect((await browser.request(twice)).status).toBe(400);
      expect((await client.call('session_status')).structured).toMatchObject({ state: 'pending' });
      expect(locationOf(await browser.request(callback), callback).pathname).toBe('/login/done');
    },
  );
});
