import { AsyncResource } from 'node:async_hooks';
import * as sdk2 from '@modelcontextprotocol/client';
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import type { McpServer } from '@modelcontextprotocol/server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createSessions, type RegisterTools, type Sessions } from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { Journal } from '../support/journal.js';
import { connect2025, JSON_HEADERS, send, startLogin } from '../support/raw-mcp.js';
import { eventContaining, Wire2025, type WireStream } from './wire-stream.js';

/** More than the time after which a connection hibernates. */
const LONG_MS = 31_000;
const NOTE = 'note://1';

let clock: VirtualClock;
let provider: FaultingProvider;
let sessions: Sessions;
let mcp: string;
/** The server objects of connections, in the order in which `tools` has made them. */
let made: McpServer[];

const tools: RegisterTools = (server, context) => {
  let calls = 0;
  made.push(server);
  server.server.registerCapabilities({ logging: {} });
  server.registerTool('count', {}, () => ({ content: [{ type: 'text', text: `call ${++calls}` }] }));
  server.registerTool('ask', {}, async ({ mcpReq }) => {
    const requestedSchema = { type: 'object' as const, properties: {} };
    const { signal } = mcpReq;
    const { action } = await mcpReq.elicitInput({ message: 'Well?', requestedSchema }, { signal });
    return { content: [{ type: 'text', text: action }] };
  });
  server.registerTool('steps', {}, async ({ mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken ?? 0;
    for (const progress of [1, 2])
      await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress } });
    return { content: [{ type: 'text', text: 'done' }] };
  });
  server.registerTool('hang', {}, ({ mcpReq }) => {
    const { signal } = mcpReq;
    hanging.add(signal);
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        cancelled.add(signal);
        reject(new Error('cancelled'));
      });
    });
  });
  server.registerTool('log', {}, async ({ mcpReq }) => {
    await mcpReq.log('debug', 'a detail');
    await mcpReq.log('error', 'a failure');
    return { content: [] };
  });
  server.registerTool('change', {}, async () => {
    await context.session().resourceUpdated(NOTE);
    return { content: [] };
  });
  server.registerResource('note', NOTE, {}, () => ({ contents: [{ uri: NOTE, text: 'a note' }] }));
};
let hanging: Journal<AbortSignal>;
let cancelled: Journal<AbortSignal>;

async function start(options: { hibernate?: boolean; tools?: RegisterTools } = {}): Promise<void> {
  sessions = createSessions({
    server: { name: 'hibernating', version: '1.0.0' },
    providers: provider.options,
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { clock, fetch: provider.fetch },
    tools,
    ...options,
  });
  ({ url: mcp } = await sessions.listen({ port: 0 }));
  // The one of the 2026 era.
  made = [];
}

beforeEach(() => {
  clock = new VirtualClock();
  provider = new FaultingProvider();
  made = [];
  hanging = new Journal();
  cancelled = new Journal();
});
afterEach(() => sessions.close());

const hibernate = () => clock.advance(LONG_MS);

/** A real client, and what it was notified of. */
interface Client {
  readonly notified: Journal<string>;
  call(
    name: string,
    more?: { onprogress?: (step: { progress: number }) => void; signal?: AbortSignal },
  ): Promise<string>;
  list(): Promise<string[]>;
  read(uri: string): Promise<string>;
  subscribe(uri: string): Promise<void>;
  setLevel(level: 'error' | 'debug'): Promise<void>;
  terminate(): Promise<void>;
  close(): Promise<void>;
}

const INFO = { name: 'client', version: '1.0.0' };
const CAPABILITIES = { capabilities: { elicitation: { form: {} } } };
const contentSchema = z.object({ content: z.array(z.object({ text: z.string().default('') })) });
const textOf = (result: unknown) =>
  contentSchema
    .parse(result)
    .content.map(({ text }) => text)
    .join();

/** The methods that the clients of both SDKs have in common. */
interface SdkClient {
  listTools(): Promise<{ readonly tools: readonly { readonly name: string }[] }>;
  readResource(resource: { readonly uri: string }): Promise<{ readonly contents: unknown }>;
  subscribeResource(resource: { readonly uri: string }): Promise<unknown>;
  setLoggingLevel(level: 'error' | 'debug'): Promise<unknown>;
  close(): Promise<void>;
}

function sameOf(client: SdkClient): Omit<Client, 'notified' | 'call' | 'terminate'> {
  return {
    list: async () => (await client.listTools()).tools.map(({ name }) => name),
    read: async (uri) => JSON.stringify((await client.readResource({ uri })).contents),
    subscribe: async (uri) => void (await client.subscribeResource({ uri })),
    setLevel: async (level) => void (await client.setLoggingLevel(level)),
    close: () => client.close(),
  };
}

async function connectSdk1(): Promise<Client> {
  const client = new Sdk1Client(INFO, CAPABILITIES);
  const notified = new Journal<string>();
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'decline' as const }));
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) =>
    notified.add(String(params.data)),
  );
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => notified.add(params.uri));
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => notified.add('tools'));
  const transport = new Sdk1Transport(new URL(mcp));
  // The SDK's own types differ under exactOptionalPropertyTypes.
  await client.connect(transport as Parameters<typeof client.connect>[0]);
  return {
    notified,
    call: async (name, more = {}) => textOf(await client.callTool({ name, arguments: {} }, undefined, more)),
    ...sameOf(client),
    terminate: () => transport.terminateSession(),
  };
}

async function connectSdk2(): Promise<Client> {
  const client = new sdk2.Client(INFO, { ...CAPABILITIES, supportedProtocolVersions: ['2025-11-25'] });
  const notified = new Journal<string>();
  client.setRequestHandler('elicitation/create', () => ({ action: 'decline' as const }));
  client.setNotificationHandler('notifications/message', ({ params }) => notified.add(String(params.data)));
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => notified.add(params.uri));
  client.setNotificationHandler('notifications/tools/list_changed', () => notified.add('tools'));
  const transport = new sdk2.StreamableHTTPClientTransport(new URL(mcp));
  await client.connect(transport);
  return {
    notified,
    call: async (name, more = {}) => textOf(await client.callTool({ name, arguments: {} }, more)),
    ...sameOf(client),
    terminate: () => transport.terminateSession(),
  };
}

describe.each([
  ['SDK 1.x', connectSdk1],
  ['SDK 2.x', connectSdk2],
])('a connection of %s that was not used for half a minute', (_kind, connect) => {
  it('serves calls and lists from another server object, and asks its client, as if it had not hibernated', async () => {
    await start();
    const client = await connect();
    const steps: number[] = [];
    const names = await client.list();
    expect(made).toHaveLength(1);
    await hibernate();
    expect(await client.list()).toEqual(names);
    expect(made).toHaveLength(2);
    await hibernate();
    expect(await client.call('count')).toBe('call 1');
    await hibernate();
    expect(await client.call('ask')).toBe('decline');
    await hibernate();
    expect(await client.call('steps', { onprogress: ({ progress }) => steps.push(progress) })).toBe('done');
    expect(steps).toEqual([1, 2]);
    await hibernate();
    expect(await client.read(NOTE)).toContain('a note');
    expect(made).toHaveLength(6);
    await client.close();
  });

  it('still has the log level that its client has set', async () => {
    await start();
    const client = await connect();
    await client.setLevel('error');
    for (let times = 1; times <= 2; times++) {
      await hibernate();
      await client.call('log');
      await client.notified.until(`failure ${times}`, (said) => said.length >= times || undefined);
      expect(client.notified.entries).not.toContain('a detail');
    }
    expect(made).toHaveLength(3);
    await client.setLevel('debug');
    await hibernate();
    await client.call('log');
    await client.notified.first('a detail', (said) => said === 'a detail');
    await client.close();
  });

  it('is notified of the resources that its client has subscribed to', async () => {
    await start();
    const client = await connect();
    await client.subscribe(NOTE);
    await hibernate();
    await client.call('change');
    await client.notified.first(NOTE, (said) => said === NOTE);
    await client.close();
  });

  it('gets what a server object sends that the author has kept, which serves it again', async () => {
    await start();
    const client = await connect();
    expect(await client.call('count')).toBe('call 1');
    await hibernate();
    await made[0]?.server.sendToolListChanged();
    await client.notified.first('the tools have changed', (said) => said === 'tools');
    expect(await client.call('count')).toBe('call 2');
    expect(made).toHaveLength(1);
    await client.close();
  });

  it('does not use a server object any more that another one has followed', async () => {
    await start();
    const client = await connect();
    await client.call('count');
    await hibernate();
    await client.call('count');
    const [first, second] = made;
    await first?.server.sendToolListChanged();
    expect([first?.isConnected(), second?.isConnected()]).toEqual([false, true]);
    await second?.server.sendLoggingMessage({ level: 'error', data: 'of the second' });
    await client.notified.first('of the second', (said) => said === 'of the second');
    expect(client.notified.entries).toEqual(['of the second']);
    await client.close();
  });

  it('can cancel a call, and end', async () => {
    await start();
    const client = await connect();
    await client.call('count');
    await hibernate();
    const leaving = new AbortController();
    const call = client.call('hang', { signal: leaving.signal });
    call.catch(() => undefined);
    await hanging.until('the tool runs', ([first]) => first);
    expect(made).toHaveLength(2);
    leaving.abort();
    await expect(call).rejects.toThrow();
    await cancelled.until('the call is cancelled', ([first]) => first);
    await hibernate();
    await client.terminate();
    expect(await sessions.list()).toEqual([]);
    await client.close();
  });
});

/** The lines of a raw client without a stream. */
function post(client: { readonly secret: string }, message: object) {
  const headers = { ...JSON_HEADERS, 'mcp-session-id': client.secret, 'mcp-protocol-version': '2025-11-25' };
  return send(mcp, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) });
}

describe('a connection without a stream', () => {
  it('keeps its login while it hibernates, and is signed out when it is idle', async () => {
    await start();
    const client = await connect2025(mcp);
    const { code } = await logIn(sessions, await startLogin(client), { provider, user: 'alice' });
    const { structured } = await client.call('login', code === undefined ? {} : { code });
    expect(structured).toMatchObject({ account: { subject: 'alice' } });
    await hibernate();
    expect((await client.call('session_status')).structured).toMatchObject({ state: 'authenticated' });
    expect(made).toHaveLength(2);
    await clock.advance(60 * 60 * 1000);
    expect(provider.livingUsers()).toEqual([]);
    expect((await client.call('session_status')).structured).toMatchObject({ signedOut: 'idle' });
    expect(made).toHaveLength(3);
    expect((await client.end()).status).toBe(200);
    expect((await post(client, { id: 1, method: 'ping' })).status).toBe(404);
  });

  it('makes one server object for all requests that wake it', async () => {
    await start();
    const client = await connect2025(mcp);
    await hibernate();
    const answers = await Promise.all([1, 2, 3].map(() => client.call('count')));
    expect(answers.map(({ text }) => text).sort()).toEqual(['call 1', 'call 2', 'call 3']);
    expect(made).toHaveLength(2);
  });

  it('ends while it hibernates, with its session', async () => {
    await start();
    const client = await connect2025(mcp);
    await hibernate();
    expect((await client.end()).status).toBe(200);
    const other = await connect2025(mcp);
    await hibernate();
    // The lifetime of a connection without requests.
    await clock.advance(25 * 60 * 60 * 1000);
    expect((await post(other, { id: 1, method: 'ping' })).status).toBe(404);
    expect(await sessions.list()).toEqual([]);
  });

  it('is told what was sent to its stream, when its client resumes the stream in time', async () => {
    await start();
    const client = await connect2025(mcp);
    await client.call('count');
    const wire = new Wire2025(client.secret);
    const stream = await wire.listen(mcp);
    await made[0]?.server.sendLoggingMessage({ level: 'error', data: 'the first' });
    const { id = '' } = await eventContaining(stream, 'the first');
    stream.drop();
    await stream.over;
    await hibernate();
    await made[0]?.server.sendLoggingMessage({ level: 'error', data: 'missed' });
    const resumed = await wire.listen(mcp, { lastEventId: id });
    expect((await eventContaining(resumed, 'missed')).id).not.toBe(id);
    // Much later nothing can be resumed, and the ids of events are still not given twice.
    resumed.drop();
    await resumed.over;
    await clock.advance(10 * LONG_MS);
    await client.call('count');
    const last = await wire.listen(mcp, { lastEventId: id });
    await made[1]?.server.sendLoggingMessage({ level: 'error', data: 'the last' });
    expect((await eventContaining(last, 'the last')).id).toBe('_GET_stream/3');
    last.drop();
  });

  it('brings nothing that a call of a user has begun to a stream of the next user [security 8]', async () => {
    let later: (() => Promise<void>) | undefined;
    await start({
      tools: (server, context) => {
        tools(server, context);
        server.registerTool('begin', {}, () => {
          const tell = () => server.server.sendLoggingMessage({ level: 'error', data: 'of the first user' });
          later = AsyncResource.bind(tell);
          return { content: [] };
        });
      },
    });
    const client = await connect2025(mcp);
    await client.call('begin');
    await hibernate();
    await client.call('logout');
    await hibernate();
    const wire = new Wire2025(client.secret);
    const stream = await wire.listen(mcp);
    await hibernate();
    await later?.();
    await made.at(-1)?.server.sendLoggingMessage({ level: 'error', data: 'of the next user' });
    await eventContaining(stream, 'of the next user');
    expect(JSON.stringify(stream.events.entries)).not.toContain('of the first user');
    expect(made[0]?.isConnected()).toBe(false);
    stream.drop();
  });

  it.each(['refuses', 'does not answer'])(
    'serves calls, and ends, if the next server object %s the log level',
    async (how) => {
      const replayed = new Journal<string>();
      await start({
        tools: (server, context) => {
          tools(server, context);
          if (made.length < 3) return;
          server.server.setRequestHandler('logging/setLevel', () => {
            replayed.add('the level');
            if (how === 'refuses') throw new Error('No such level.');
            return new Promise<never>(() => undefined);
          });
        },
      });
      const clients = [await connect2025(mcp), await connect2025(mcp)] as const;
      const [first, second] = clients;
      for (const client of clients)
        await post(client, { id: 1, method: 'logging/setLevel', params: { level: 'error' } });
      await hibernate();
      const call = first.call('count');
      await replayed.until('a replay', ([one]) => one);
      await clock.advance(10_100);
      expect((await call).text).toBe('call 1');
      const waiting = post(second, { id: 2, method: 'tools/list' });
      await replayed.until('another replay', ([, two]) => two);
      expect((await second.end()).status).toBe(200);
      await waiting;
    },
  );

  it('keeps no log level that MCP does not have [security 40]', async () => {
    const levels: unknown[] = [];
    await start({
      tools: (server) => {
        made.push(server);
        server.registerTool('count', {}, () => ({ content: [] }));
        server.server.fallbackRequestHandler = ({ params }) => {
          levels.push(params?.level);
          return Promise.resolve({});
        };
      },
    });
    const client = await connect2025(mcp);
    await client.call('count');
    for (const [level, times] of [
      ['x'.repeat(60_000), 1],
      ['error', 2],
    ] as const) {
      levels.length = 0;
      await post(client, { id: 1, method: 'logging/setLevel', params: { level } });
      await hibernate();
      await client.call('count');
      expect(levels).toEqual(Array.from({ length: times }, () => level));
    }
    expect(made).toHaveLength(3);
  });

  it('is refused as another one is, although it hibernates', async () => {
    await start();
    const client = await connect2025(mcp);
    await hibernate();
    const headers = { ...JSON_HEADERS, 'mcp-session-id': client.secret };
    const get = (more: object) => send(mcp, { headers: { ...headers, ...more } });
    expect((await get({ accept: 'application/json' })).status).toBe(406);
    await hibernate();
    expect((await get({ 'mcp-protocol-version': '1999-01-01' })).status).toBe(400);
    await hibernate();
    const again = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'a', version: '1' },
    };
    const refused = await post(client, { id: 1, method: 'initialize', params: again });
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('already initialized')]);
  });
});

describe('the questions to a client', () => {
  /** A connection whose client can be asked. */
  async function connect(): Promise<{ readonly secret: string; readonly wire: Wire2025 }> {
    const params = { protocolVersion: '2025-11-25', clientInfo: INFO, ...CAPABILITIES };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    const { headers } = await send(mcp, { method: 'POST', headers: JSON_HEADERS, body });
    const secret = String(headers['mcp-session-id']);
    return { secret, wire: new Wire2025(secret) };
  }

  const ask = (wire: Wire2025, id: number) =>
    wire.post(mcp, { id, method: 'tools/call', params: { name: 'ask', arguments: {} } });

  /** The ids of the questions on a stream, when there are as many. The pings of the library have ids of their own. */
  const questionsIn = (stream: WireStream, count: number): Promise<number[]> =>
    stream.events.until(`question ${count}`, (events) => {
      const messages = events.map(({ data }) => JSON.parse(data || '{}'));
      const ids = messages.filter(({ id, method }) => typeof id === 'number' && method).map(({ id }) => id);
      return ids.length >= count ? ids : undefined;
    });

  it('have an id of their own after each wake, and an answer to an earlier one is dropped', async () => {
    await start();
    const client = await connect();
    const { wire } = client;
    const standalone = await wire.listen(mcp);
    const first = ask(wire, 1);
    const [early] = await questionsIn(standalone, 1);
    await hibernate();
    expect(made).toHaveLength(1);
    const { over } = await first;
    await post(client, { method: 'notifications/cancelled', params: { requestId: 1 } });
    await over;
    await hibernate();
    const second = ask(wire, 2);
    const [, another] = await questionsIn(standalone, 2);
    expect(made).toHaveLength(2);
    const late = () => post(client, { id: early, result: { action: 'accept', content: {} } });
    expect((await late()).status).toBe(202);
    await post(client, { id: another, result: { action: 'decline' } });
    expect(await (await second).text).toContain('"decline"');

    // The server object that was dropped asks, too.
    await hibernate();
    const asked = made[1]?.server.ping();
    const ids = await questionsIn(standalone, 3);
    await post(client, { id: ids[2], result: {} });
    await asked;

    // Only the state is left.
    standalone.drop();
    await standalone.over;
    await clock.advance(10 * LONG_MS);
    const next = await wire.listen(mcp);
    const last = ask(wire, 3);
    const [latest] = await questionsIn(next, 1);
    expect(made).toHaveLength(3);
    await late();
    await post(client, { id: latest, result: { action: 'cancel' } });
    expect(await (await last).text).toContain('"cancel"');
    expect(new Set([...ids, latest]).size).toBe(4);
    next.drop();
  });
});

describe('a server object', () => {
  const keeping: Readonly<Record<string, RegisterTools>> = {
    'sets `oninitialized`': (server) => {
      server.server.oninitialized = () => undefined;
    },
    'sets `onclose`': (server) => {
      server.server.onclose = () => undefined;
    },
    'is changed by a call': (server) => {
      server.registerTool('change', {}, () => {
        server.registerTool('new', {}, () => ({ content: [] }));
        return { content: [] };
      });
    },
    'gets a tool disabled by a call': (server) => {
      const extra = server.registerTool('extra', {}, () => ({ content: [] }));
      server.registerTool('change', {}, () => {
        extra.disable();
        return { content: [] };
      });
    },
    'gets a handler by a call': (server) => {
      server.server.registerCapabilities({ prompts: {} });
      server.registerTool('change', {}, () => {
        server.server.setRequestHandler('prompts/list', () => ({ prompts: [] }));
        return { content: [] };
      });
    },
    'gets a fallback by a call': (server) => {
      server.registerTool('change', {}, () => {
        server.server.fallbackNotificationHandler = () => Promise.resolve();
        return { content: [] };
      });
    },
    'gets `onerror` by a call': (server) => {
      server.server.onerror = () => undefined;
      server.registerTool('change', {}, () => {
        server.server.onerror = () => undefined;
        return { content: [] };
      });
    },
  };

  it.each(Object.keys(keeping))('is kept if it %s', async (how) => {
    const configure = keeping[how];
    await start({
      tools: (server, context) => {
        if (how.includes('by a call')) {
          made.push(server);
          configure?.(server, context);
        } else {
          tools(server, context);
          configure?.(server, context);
        }
      },
    });
    const client = await connect2025(mcp);
    const tool = how.includes('by a call') ? 'change' : 'count';
    await client.call(tool);
    await hibernate();
    await post(client, { id: 1, method: 'tools/list' });
    expect(made).toHaveLength(1);
  });

  it('is kept with `hibernate: false`, and with it what `tools` has in its closure', async () => {
    await start({ hibernate: false });
    const client = await connect2025(mcp);
    expect((await client.call('count')).text).toBe('call 1');
    await clock.advance(10 * LONG_MS);
    expect((await client.call('count')).text).toBe('call 2');
    expect(made).toHaveLength(1);
  });

  it('is kept while a call runs, and while its client has not answered a question', async () => {
    await start();
    const client = await connect2025(mcp);
    const wire = new Wire2025(client.secret);
    const call = wire.post(mcp, { id: 7, method: 'tools/call', params: { name: 'hang', arguments: {} } });
    await hanging.until('the tool runs', ([first]) => first);
    await clock.advance(2_000);
    const stream = await call;
    await hibernate();
    await hibernate();
    expect((await client.call('count')).text).toBe('call 1');
    expect(made).toHaveLength(1);
    await post(client, { method: 'notifications/cancelled', params: { requestId: 7 } });
    await stream.over;
    const standalone = await wire.listen(mcp);
    const asked = made[0]?.server.ping();
    const { id } = JSON.parse((await eventContaining(standalone, 'ping')).data);
    await hibernate();
    await post(client, { id, result: {} });
    await asked;
    expect((await client.call('count')).text).toBe('call 2');
    await hibernate();
    expect((await client.call('count')).text).toBe('call 1');
    standalone.drop();
  });
});
