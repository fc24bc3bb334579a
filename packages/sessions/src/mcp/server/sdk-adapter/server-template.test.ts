import { McpServer, type RegisteredTool, ResourceTemplate } from '@modelcontextprotocol/server';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import {
  createBareServer,
  rawClient2025,
  rawClient2026,
} from '../../../../../../test/support/bare-server.js';
import type { RegisterTools } from '../../../index.js';
import { ServerTemplate } from './server-template.js';

function start(tools: RegisterTools) {
  const sessions = createBareServer(tools);
  onTestFinished(() => sessions.close());
  return { sessions, client: rawClient2026(sessions) };
}

const textOf = (text: string) => ({ content: [{ type: 'text' as const, text }] });

describe('`tools`', () => {
  it('runs once for the process in the 2026 era, and once for each connection in the 2025 era', async () => {
    let runs = 0;
    const { sessions, client } = start((server) => {
      runs++;
      server.registerTool('act', {}, async () => textOf('done'));
    });
    for (let id = 0; id < 3; id++) await client.ask('tools/call', { name: 'act', arguments: {} }, id);
    expect(runs).toBe(1);
    for (let connections = 1; connections <= 2; connections++) {
      const connection = await rawClient2025(sessions);
      await connection.ask('tools/list', {});
      await connection.ask('tools/call', { name: 'act', arguments: {} });
      expect(runs).toBe(1 + connections);
    }
  });

  it('can register the logging capability, whose handler the SDK sets itself', async () => {
    const { client } = start((server) => {
      server.server.registerCapabilities({ logging: {} });
      server.registerTool('act', {}, async () => textOf('done'));
    });
    const answer = await client.ask('tools/call', { name: 'act', arguments: {} });
    expect(JSON.stringify(answer)).toContain('done');
  });

  it('is refused at the start if it is asynchronous', () => {
    const tools = (async () => undefined) as unknown as RegisterTools;
    expect(() => createBareServer(tools)).toThrow(/`tools` must not be asynchronous/);
  });

  it.each(['login', 'logout', 'session_status'])(
    'is refused at the start if it registers a tool %s',
    (name) => {
      expect(() =>
        createBareServer((server) => server.registerTool(name, {}, async () => textOf(''))),
      ).toThrow(`The tool name "${name}" is reserved`);
    },
  );

  it('is refused at the start if it connects the server object', () => {
    const transport = {
      start: async () => undefined,
      send: async () => undefined,
      close: async () => undefined,
    };
    expect(() => createBareServer((server) => void server.connect(transport))).toThrow(/must not connect/);
  });

  it('gets a context whose functions work by themselves, and nothing else', () => {
    let names: string[] = [];
    createBareServer((server, context) => {
      names = Object.keys(context);
      const { requireLogin } = context;
      server.registerTool(
        'act',
        {},
        requireLogin(async () => textOf('')),
      );
    });
    expect(names).toEqual(['session', 'requireLogin']);
  });

  it('is refused at the start if `requireLogin` gets an unknown option or no handler', () => {
    const scope = { scope: ['notes'] } as object;
    expect(() =>
      createBareServer((_, { requireLogin }) => void requireLogin(async () => textOf(''), scope)),
    ).toThrow('unknown option `scope`');
    expect(() => createBareServer((_, { requireLogin }) => void requireLogin(7 as never))).toThrow(
      'must be the handler',
    );
  });

  it('is refused at the start if `requireLogin` names a provider that is not configured', () => {
    const tools: RegisterTools = (server, context) =>
      server.registerTool(
        'act',
        {},
        context.requireLogin(async () => textOf(''), { provider: 'githb' }),
      );
    expect(() => createBareServer(tools)).toThrow(/names the provider "githb", which is not configured/);
  });
});

describe('what `tools` does to the server object', () => {
  it('holds for every 2026 request: prompts, resources, templates and completions', async () => {
    const { client } = start((server) => {
      const of = z.string().transform((text) => text.toUpperCase());
      server.registerPrompt('summary', { argsSchema: z.object({ of }) }, async ({ of: text }) => ({
        messages: [{ role: 'user', content: { type: 'text', text } }],
      }));
      const contents = (uri: URL) => ({ contents: [{ uri: uri.href, text: 'page' }] });
      server.registerResource('diary', 'notes://diary', { title: 'Diary', mimeType: 'text/plain' }, contents);
      const complete = { number: () => ['1', '2'] };
      const template = new ResourceTemplate('notes://page/{number}', { list: undefined, complete });
      server.registerResource('page', template, { title: 'Page' }, contents);
    });
    const prompt = await client.ask('prompts/get', { name: 'summary', arguments: { of: 'all' } });
    expect(prompt.result).toMatchObject({ messages: [{ content: { text: 'ALL' } }] });
    expect((await client.ask('resources/list', {})).result).toMatchObject({
      resources: expect.arrayContaining([
        expect.objectContaining({ uri: 'notes://diary', title: 'Diary', mimeType: 'text/plain' }),
      ]),
    });
    for (const uri of ['notes://diary', 'notes://page/1'])
      expect((await client.ask('resources/read', { uri })).result).toMatchObject({
        contents: [{ text: 'page' }],
      });
    const completion = await client.ask('completion/complete', {
      ref: { type: 'ref/resource', uri: 'notes://page/{number}' },
      argument: { name: 'number', value: '' },
    });
    expect(completion.result).toMatchObject({ completion: { values: ['1', '2'] } });
  });

  it('holds for every 2026 request: handlers and capabilities', async () => {
    const { client } = start(({ server }) => {
      server.registerCapabilities({ experimental: { tides: { high: true } } });
      server.setRequestHandler(
        'tides/next',
        { params: z.object({}), result: z.object({ high: z.boolean() }) },
        async () => ({
          high: true,
        }),
      );
    });
    expect((await client.ask('tides/next', {})).result).toMatchObject({ high: true });
    expect((await client.ask('server/discover', {})).result).toMatchObject({
      capabilities: { experimental: { tides: { high: true } } },
    });
  });

  it('may change later: 2026 clients see updates, removals and new registrations', async () => {
    let mcp: McpServer | undefined;
    const tools: Record<string, RegisteredTool> = {};
    const { client } = start((server) => {
      mcp = server;
      for (const name of ['updated', 'removed', 'disabled', 'renamed'])
        tools[name] = server.registerTool(name, {}, async () => textOf('before'));
    });
    tools.updated?.update({
      description: 'Changed.',
      paramsSchema: z.object({ what: z.string() }),
      callback: async (args: unknown) => textOf(z.object({ what: z.string() }).parse(args).what),
    });
    tools.removed?.remove();
    tools.disabled?.disable();
    tools.renamed?.update({ name: 'other' });
    mcp?.registerTool('added', {}, async () => textOf('new'));
    const listed = z
      .object({ tools: z.array(z.looseObject({ name: z.string() })) })
      .parse((await client.ask('tools/list', {})).result).tools;
    const own = ['login', 'session_status', 'logout'];
    expect(listed.map(({ name }) => name)).toEqual([...own, 'updated', 'other', 'added']);
    const call = async (name: string, args = {}) =>
      (await client.ask('tools/call', { name, arguments: args })).result?.content[0]?.text;
    expect(await call('updated', { what: 'after' })).toBe('after');
    expect(await call('other')).toBe('before');
    expect(await call('added')).toBe('new');
    expect(listed.find(({ name }) => name === 'updated')).toMatchObject({
      description: 'Changed.',
      inputSchema: { properties: { session: {} } },
    });
  });

  it('concerns the client of the current request, wherever it asks for it', async () => {
    const { client, sessions } = start((server) => {
      server.registerTool('who', {}, async () => textOf(server.server.getClientVersion()?.name ?? 'none'));
    });
    const who = { name: 'who', arguments: {} };
    const connection = await rawClient2025(sessions);
    const [modern, legacy] = await Promise.all([
      client.ask('tools/call', who),
      connection.ask('tools/call', who),
    ]);
    expect(legacy.result?.content).toMatchObject([{ text: 'raw' }]);
    expect(modern.result?.content).toMatchObject([{ text: expect.not.stringMatching(/^none$/) }]);
  });

  it('is repeated once for each handler and capability, however often a handler sets them', () => {
    const info = { name: 'test', version: '1' };
    const template = new ServerTemplate(new McpServer(info), {
      check: () => undefined,
      onError: () => undefined,
      client: () => undefined,
    });
    const { server } = template.server;
    const replaced: string[] = [];
    for (let call = 0; call < 3; call++) {
      server.setNotificationHandler('notifications/roots/list_changed', () => void replaced.push(`${call}`));
      server.setRequestHandler('ping', async () => ({}));
      server.removeRequestHandler('ping');
      server.registerCapabilities({ experimental: { [`call ${call}`]: {} } });
    }
    const target = new McpServer(info);
    const calls: string[] = [];
    const methods = [
      'setNotificationHandler',
      'setRequestHandler',
      'removeRequestHandler',
      'registerCapabilities',
    ] as const;
    for (const name of methods) {
      const own = (target.server[name] as (...given: unknown[]) => unknown).bind(target.server);
      Object.assign(target.server, {
        [name]: (...given: unknown[]) => {
          calls.push(name);
          return own(...given);
        },
      });
    }
    template.applyTo(target);
    expect(calls).toEqual(['setNotificationHandler', 'removeRequestHandler', 'registerCapabilities']);
    expect(target.server.getCapabilities()).toMatchObject({
      experimental: { 'call 0': {}, 'call 1': {}, 'call 2': {} },
    });
  });

  it('is left out if it fails later: the failure is reported once with its name, and requests are served', async () => {
    const reported: string[] = [];
    const logger = pino(
      { level: 'error' },
      { write: (line) => void reported.push(JSON.parse(line).err.message) },
    );
    const sessions = createBareServer(
      (server) => {
        const page = server.registerResource('page', 'notes://page', {}, (uri) => ({
          contents: [{ uri: uri.href, text: 'page' }],
        }));
        // The SDK checks it at the registration only.
        page.cacheHint = { ttlMs: -1, cacheScope: 'private' };
        server.registerTool('act', {}, async () => textOf('done'));
      },
      { logger },
    );
    onTestFinished(() => sessions.close());
    const client = rawClient2026(sessions);
    for (let id = 0; id < 3; id++) {
      const answer = await client.ask('tools/call', { name: 'act', arguments: {} }, id);
      expect(answer.result?.content[0]?.text).toBe('done');
    }
    expect(reported.filter((text) => text.includes('without the resource "page"'))).toHaveLength(1);
  });
});
