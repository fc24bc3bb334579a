import { type McpServer, ProtocolError } from '@modelcontextprotocol/server';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  createSessions,
  type RegisterTools,
  type SessionsOptions,
} from '../../packages/sessions/src/index.js';
import { Journal } from '../support/journal.js';
import { call2025, JSON_HEADERS, messageOf, type RawAnswer, send } from '../support/raw-mcp.js';
import { openWire } from './wire-stream.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(() => Promise.all(closing.splice(0).map((close) => close())));

const ignore = () => undefined;
const register: RegisterTools = (server) => {
  let calls = 0;
  server.registerTool('count', {}, () => ({ content: [{ type: 'text', text: `call ${++calls}` }] }));
};

/** A server, and what its `tools` was given: once for 2026, and once for each server object of a connection. */
async function start({ tools = register, ...options }: Partial<SessionsOptions> = {}) {
  const made: McpServer[] = [];
  const sessions = createSessions({
    server: { name: 'new', version: '1.0.0', title: 'New', instructions: 'Be quick.' },
    providers: { issuer: 'http://127.0.0.1:9', clientId: 'new', scopes: ['openid'] },
    lifetimes: { shutdownDrainMs: 0 },
    ...options,
    tools: (server, context) => {
      made.push(server);
      return tools(server, context);
    },
  });
  closing.push(() => sessions.close());
  const { url: mcp } = await sessions.listen({ port: 0 });
  made.length = 0;
  const post = (body: string, headers: Record<string, string> = {}): Promise<RawAnswer> =>
    send(mcp, { method: 'POST', headers: { ...JSON_HEADERS, ...headers }, body });
  const initialize = (protocolVersion = '2025-11-25', id: unknown = 1, headers = {}): Promise<RawAnswer> => {
    const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
    return post(JSON.stringify({ jsonrpc: '2.0', id, method: 'initialize', params }), headers);
  };
  /** Opens a connection. @returns the headers of its requests */
  const connect = async (): Promise<Record<string, string>> => {
    const { headers } = await initialize();
    const named = { 'mcp-session-id': String(headers['mcp-session-id']) };
    const initialized = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
    expect((await post(initialized, named)).status).toBe(202);
    return named;
  };
  const count = async (headers: Record<string, string>) =>
    messageOf(await post(call2025('count'), headers)).result?.content[0]?.text;
  return { sessions, mcp, made, post, initialize, connect, count };
}

/** An answer without what differs between connections. */
function comparable({ status, headers: { date: _date, 'mcp-session-id': id, ...headers }, text }: RawAnswer) {
  return { status, headers, hasId: typeof id === 'string', text };
}

describe('a new 2025 connection', () => {
  it.each(['2025-11-25', '2025-03-26', '2024-11-05', '1999-01-01'])(
    'gets the same answer to `initialize` as the first one, for the revision %s',
    async (revision) => {
      const { initialize, made } = await start();
      const first = comparable(await initialize(revision));
      expect(JSON.parse(first.text)).toMatchObject({
        id: 1,
        result: { serverInfo: { title: 'New' }, instructions: expect.stringMatching(/^Be quick/) },
      });
      expect(comparable(await initialize(revision))).toEqual(first);
      const other = comparable(await initialize(revision, 'another id'));
      expect(JSON.parse(other.text)).toEqual({ ...JSON.parse(first.text), id: 'another id' });
      // An unknown revision is left to the SDK.
      expect(made).toHaveLength(revision === '1999-01-01' ? 3 : 1);
    },
  );

  it('has `tools` run for it once, with its first call, and keeps variables of its own', async () => {
    const { connect, count, made } = await start();
    const first = await connect();
    const [second, third] = [await connect(), await connect()];
    expect(made).toHaveLength(1);
    expect(await Promise.all([count(second), count(second)])).toEqual(['call 1', 'call 2']);
    expect([await count(first), await count(third), await count(second)]).toEqual([
      'call 1',
      'call 1',
      'call 3',
    ]);
    expect(made).toHaveLength(3);
  });

  it('tells its server object of its client before the first call', async () => {
    const { connect, post } = await start({
      tools: (server) =>
        server.registerTool('who', {}, () => ({
          content: [{ type: 'text', text: JSON.stringify(server.server.getClientVersion()) }],
        })),
    });
    await connect();
    const answer = messageOf(await post(call2025('who'), await connect()));
    expect(answer.result?.content[0]?.text).toBe('{"name":"raw","version":"1"}');
  });

  it('has its schemas checked only where the first run of `tools` has registered no tool of the name', async () => {
    const converted: string[] = [];
    const named = (name: string) => {
      const { '~standard': standard } = z.object({});
      const input: typeof standard.jsonSchema.input = (options) => {
        converted.push(name);
        return standard.jsonSchema.input(options);
      };
      return { '~standard': { ...standard, jsonSchema: { ...standard.jsonSchema, input } } };
    };
    let names = ['known'];
    const { connect, count } = await start({
      tools: (server, context) => {
        register(server, context);
        for (const name of names)
          server.registerTool(name, { inputSchema: named(name) }, () => ({ content: [] }));
      },
    });
    expect(new Set(converted)).toEqual(new Set(['known']));
    converted.length = 0;
    await count(await connect());
    expect(converted).toEqual([]);
    names = ['known', 'new'];
    await count(await connect());
    expect(converted).toEqual(['new']);
  });

  it('can be ended before its first call', async () => {
    const { connect, mcp, made, post } = await start();
    await connect();
    const headers = await connect();
    expect((await send(mcp, { method: 'DELETE', headers })).status).toBe(200);
    expect((await post(call2025('count'), headers)).status).toBe(404);
    expect(made).toHaveLength(1);
  });

  it('has `tools` run when it opens its stream, and gets what the server object sends then', async () => {
    const { connect, mcp, made } = await start();
    await connect();
    const headers = { ...(await connect()), accept: 'text/event-stream' };
    const stream = await openWire(mcp, { headers });
    const server = made.at(-1);
    expect(made).toHaveLength(2);
    await server?.server.sendToolListChanged();
    await stream.events.first('the message', ({ data }) => data.includes('notifications/tools/list_changed'));
    stream.drop();
  });

  it('is refused as before if its client does not accept both media types', async () => {
    const { connect, initialize } = await start();
    await connect();
    const refused = await initialize('2025-11-25', 1, { accept: 'application/json' });
    expect(refused.status).toBe(406);
  });

  it('ends if `tools` fails at its first call, and the next `initialize` fails, too', async () => {
    let isBroken = false;
    const { connect, post, initialize } = await start({
      tools: (server, context) => {
        if (isBroken) throw new Error('The database is gone.');
        register(server, context);
      },
    });
    await connect();
    const headers = await connect();
    isBroken = true;
    expect((await post(call2025('count'), headers)).status).toBe(500);
    expect((await post(call2025('count'), headers)).status).toBe(404);
    expect((await initialize()).status).toBe(500);
    isBroken = false;
    expect((await initialize()).status).toBe(200);
  });

  it('has a server object from the beginning if `hibernate` is off', async () => {
    const { connect, made } = await start({ hibernate: false });
    await connect();
    await connect();
    expect(made).toHaveLength(2);
  });
});

describe('an `initialize` that fails', () => {
  const refusal = () => new ProtocolError(-32_602, 'Not this client.');
  const ways: Readonly<Record<string, RegisterTools>> = {
    'with an error': ({ server }) => {
      server.setRequestHandler('initialize', () => {
        throw refusal();
      });
    },
    'with an error on a stream': ({ server }) => {
      server.registerCapabilities({ logging: {} });
      server.setRequestHandler('initialize', async (_request, { mcpReq }) => {
        await mcpReq.notify({ method: 'notifications/message', params: { level: 'error', data: 'No.' } });
        throw refusal();
      });
    },
    'with a result that JSON cannot represent': ({ server }) => {
      server.setRequestHandler('initialize', () => ({
        protocolVersion: '2025-11-25',
        capabilities: { experimental: { number: { value: 10n } } } as object,
        serverInfo: { name: 'new', version: '1.0.0' },
      }));
    },
  };

  it.each(Object.keys(ways))('leaves no connection: %s', async (how) => {
    let isOpen = true;
    const { sessions, initialize, post } = await start({
      tools: (server, context) => {
        register(server, context);
        if (!isOpen) ways[how]?.(server, context);
      },
    });
    isOpen = false;
    for (let times = 1; times <= 3; times++) {
      const answer = await initialize();
      expect(messageOf(answer)).toMatchObject({ id: 1, error: { code: expect.any(Number) } });
      const { 'mcp-session-id': id } = answer.headers;
      // The headers of a stream precede the answer.
      expect(typeof id).toBe(how.includes('stream') ? 'string' : 'undefined');
      if (typeof id === 'string')
        expect((await post(call2025('count'), { 'mcp-session-id': id })).status).toBe(404);
    }
    expect(await sessions.list()).toEqual([]);
    isOpen = true;
    await initialize();
    expect(await sessions.list()).toHaveLength(1);
  });
});

describe('`tools` that follow each client', () => {
  it.each<[what: string, follow: (server: McpServer, add: () => void) => void]>([
    [
      'the callback `oninitialized`',
      ({ server }, add) => {
        server.oninitialized = add;
      },
    ],
    [
      'a handler of `notifications/initialized`',
      ({ server }, add) => server.setNotificationHandler('notifications/initialized', add),
    ],
  ])('have %s called for each of them', async (_what, follow) => {
    const initialized = new Journal<number>();
    const { connect } = await start({
      tools: (server) => follow(server, () => initialized.add(1)),
    });
    for (const times of [1, 2, 3]) {
      await connect();
      await initialized.until('it is called', (entries) => entries.length === times || undefined);
    }
  });

  it('answer each of them, once two server objects have differed, and the log says it once', async () => {
    let name = 'a';
    const logged: string[] = [];
    const info = (_entry: object, message: string) => void logged.push(message);
    const { connect, initialize, count } = await start({
      logger: { debug: ignore, info, warn: ignore, error: ignore },
      tools: (server, context) => {
        register(server, context);
        if (name === 'b') server.registerPrompt(name, {}, () => ({ messages: [] }));
      },
    });
    const hasPrompts = async () => 'prompts' in JSON.parse((await initialize()).text).result.capabilities;
    await connect();
    name = 'b';
    await count(await connect());
    expect(await hasPrompts()).toBe(true);
    const message = expect.stringContaining('answer `initialize` differently');
    expect(logged.filter((each) => each.startsWith('`tools`'))).toEqual([message]);
    name = 'c';
    expect(await hasPrompts()).toBe(false);
    expect(logged.filter((each) => each.startsWith('`tools`'))).toHaveLength(1);
  });
});
