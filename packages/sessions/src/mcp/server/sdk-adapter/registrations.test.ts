import { type McpServer, type RegisteredTool, ResourceTemplate } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import {
  createBareServer,
  type RawClient,
  rawClient2025,
  rawClient2026,
} from '../../../../../../test/support/bare-server.js';
import { inMemory2026 } from '../../../../../../test/support/in-memory-client.js';
import { ERAS, named, startTranscribed } from '../../../../../../test/support/transcribed-server.js';
import type { RegisterTools } from '../../../index.js';
import { logIn } from '../../../testing/index.js';

const textOf = (text: string) => ({ content: [{ type: 'text' as const, text }] });
const contents = (uri: URL) => ({ contents: [{ uri: uri.href, text: 'page' }] });
const message = (text: string) => ({
  messages: [{ role: 'user' as const, content: { type: 'text' as const, text } }],
});
const template = (pattern: string) => new ResourceTemplate(pattern, { list: undefined });

async function start(era: (typeof ERAS)[number], tools: RegisterTools): Promise<RawClient> {
  const sessions = createBareServer(tools);
  onTestFinished(() => sessions.close());
  return era === '2025' ? rawClient2025(sessions) : rawClient2026(sessions);
}

/** Calls the tool `go`. */
async function go(client: RawClient): Promise<string> {
  const { result, error } = await client.ask('tools/call', { name: 'go', arguments: {} });
  return result?.content[0]?.text ?? String(error?.message);
}

/** What the server lists, as JSON. */
async function listed(client: RawClient): Promise<string[]> {
  const methods = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'];
  const answers: string[] = [];
  for (const method of methods) {
    const { result, error } = await client.ask(method, {});
    answers.push(error ? `${method}: ${error.message}` : JSON.stringify(result));
  }
  return answers;
}

/** Updates that the registration of the same would not pass, by what they are. */
const REFUSED: [string, (server: McpServer) => { update: (changes: never) => void }, object][] = [
  ['a tool renamed to a reserved name', registeredTool, { name: 'login' }],
  ['a tool renamed to the name of another tool', registeredTool, { name: 'taken' }],
  ['a tool with an empty name', registeredTool, { name: '' }],
  ['a tool whose handler is no function', registeredTool, { callback: null }],
  ['a tool whose arguments are no schema', registeredTool, { paramsSchema: 7 }],
  ['a tool with an argument `session`', registeredTool, { paramsSchema: z.object({ session: z.string() }) }],
  ['a tool whose output cannot be listed', registeredTool, { outputSchema: z.object({ at: z.date() }) }],
  ['a prompt renamed to the name of another one', registeredPrompt, { name: 'taken' }],
  ['a prompt whose arguments are no schema', registeredPrompt, { argsSchema: 7 }],
  ['a resource moved to the status of the session', registeredResource, { uri: 'session://status' }],
  ['a resource moved to the URI of another one', registeredResource, { uri: 'notes://taken' }],
  ['a resource template renamed to the name of another one', registeredTemplate, { name: 'taken' }],
  ['a resource template without a template', registeredTemplate, { template: 'notes://b/{n}' }],
];

function registeredTool(server: McpServer) {
  server.registerTool('taken', {}, async () => textOf('taken'));
  return server.registerTool('mine', {}, async () => textOf('mine'));
}

function registeredPrompt(server: McpServer) {
  server.registerPrompt('taken', {}, () => message('taken'));
  return server.registerPrompt('mine', {}, () => message('mine'));
}

function registeredResource(server: McpServer) {
  server.registerResource('taken', 'notes://taken', {}, contents);
  return server.registerResource('mine', 'notes://mine', {}, contents);
}

function registeredTemplate(server: McpServer) {
  server.registerResource('taken', template('notes://taken/{n}'), {}, contents);
  return server.registerResource('mine', template('notes://mine/{n}'), {}, contents);
}

it.each(REFUSED.flatMap((each) => ERAS.map((era) => [era, ...each] as const)))(
  '%s: %s is refused where `update` is called, and changes nothing',
  async (era, _what, register, changes) => {
    const client = await start(era, (server) => {
      const registered = register(server);
      server.registerPrompt('other', {}, () => message('other'));
      server.registerTool('go', {}, async () => {
        try {
          registered.update({ ...changes, description: 'Changed.', title: 'Changed' } as never);
          return textOf('updated');
        } catch (error) {
          return textOf(`${(error as { code?: unknown }).code}: ${(error as Error).message}`);
        }
      });
    });
    const before = await listed(client);
    expect(await go(client)).toMatch(/^configuration: The /);
    expect(await listed(client)).toEqual(before);
  },
);

it.each(ERAS)('%s: an update of names, schemas and handlers holds', async (era) => {
  const client = await start(era, (server) => {
    const tool = server.registerTool('tool', {}, async () => textOf('before'));
    const prompt = server.registerPrompt('prompt', {}, () => message('before'));
    const resource = server.registerResource('resource', 'notes://before', {}, contents);
    server.registerTool('go', {}, async () => {
      tool.update({
        name: 'renamed',
        paramsSchema: z.object({ what: z.string() }),
        callback: async (args: unknown) => textOf(z.object({ what: z.string() }).parse(args).what),
      });
      prompt.update({ name: 'renamed', callback: () => message('after') });
      resource.update({ uri: 'notes://after' });
      return textOf('updated');
    });
  });
  expect(await go(client)).toBe('updated');
  const called = await client.ask('tools/call', { name: 'renamed', arguments: { what: 'after' } });
  expect(called.result?.content[0]?.text).toBe('after');
  const invalid = await client.ask('tools/call', { name: 'renamed', arguments: { what: 7 } });
  expect(invalid.result?.isError).toBe(true);
  expect(JSON.stringify(await client.ask('prompts/get', { name: 'renamed' }))).toContain('after');
  expect(JSON.stringify(await client.ask('resources/read', { uri: 'notes://after' }))).toContain('page');
  const lists = (await listed(client)).join('\n');
  expect(lists).not.toContain('notes://before');
  expect(lists).not.toContain('"prompt"');
});

it.each(ERAS)('%s: a removed prompt or resource that was renamed is served no longer', async (era) => {
  const client = await start(era, (server) => {
    const prompt = server.registerPrompt('prompt', {}, () => message('private'));
    const resource = server.registerResource('resource', 'notes://before', {}, contents);
    server.registerTool('go', {}, async () => {
      prompt.update({ name: 'renamed' });
      resource.update({ uri: 'notes://after' });
      prompt.remove();
      resource.remove();
      server.registerPrompt('prompt', {}, () => message('new'));
      prompt.remove();
      prompt.enable();
      resource.enable();
      return textOf('removed');
    });
  });
  expect(await go(client)).toBe('removed');
  const lists = (await listed(client)).join('\n');
  expect(lists).not.toContain('renamed');
  expect(lists).not.toContain('notes://after');
  expect((await client.ask('prompts/get', { name: 'renamed' })).error).toBeDefined();
  expect((await client.ask('resources/read', { uri: 'notes://after' })).error).toBeDefined();
  expect(JSON.stringify(await client.ask('prompts/get', { name: 'prompt' }))).toContain('new');
});

it.each(ERAS)('%s: a tool that was removed can be registered again, and not be updated', async (era) => {
  const client = await start(era, (server) => {
    const tool = server.registerTool('tool', {}, async () => textOf('old'));
    server.registerTool('go', {}, async () => {
      tool.remove();
      server.registerTool('tool', {}, async () => textOf('new'));
      tool.remove();
      expect(() => tool.update({ name: 'revived' })).toThrow('The tool "tool" was removed');
      return textOf('done');
    });
  });
  expect(await go(client)).toBe('done');
  const called = await client.ask('tools/call', { name: 'tool', arguments: {} });
  expect(called.result?.content[0]?.text).toBe('new');
});

it.each([
  ['2025', 'its own connection', false],
  ['2026', 'all clients', true],
] as const)('%s: a change that a handler makes concerns %s', async (era, _whom, isForAll) => {
  const sessions = createBareServer((server) => {
    const hidden = server.registerTool('hidden', {}, async () => textOf('hidden'));
    hidden.disable();
    server.registerTool('go', {}, async () => {
      hidden.enable();
      return textOf('enabled');
    });
  });
  onTestFinished(() => sessions.close());
  const connect = async () => (era === '2025' ? rawClient2025(sessions) : rawClient2026(sessions));
  const own = await connect();
  const other = await connect();
  expect((await listed(own)).join('')).not.toContain('hidden');
  expect(await go(own)).toBe('enabled');
  expect((await listed(own)).join('')).toContain('hidden');
  expect((await listed(other)).join('').includes('hidden')).toBe(isForAll);
});

it('a registration without a configuration or a handler is refused at the start', () => {
  const handler = async () => textOf('');
  expect(() => createBareServer((server) => server.registerTool('act', undefined as never, handler))).toThrow(
    'The tool "act" needs a configuration',
  );
  expect(() => createBareServer((server) => server.registerTool('act', {}, undefined as never))).toThrow(
    'The tool "act" needs a handler',
  );
});

it.each(ERAS)('%s: the signal of a handler that an update has set aborts at the sign-out', async (era) => {
  let tool: RegisteredTool | undefined;
  let started: (signal: AbortSignal) => void = () => undefined;
  const running = new Promise<AbortSignal>((resolve) => {
    started = resolve;
  });
  let finish: () => void = () => undefined;
  const { sessions, browse, clientOf } = startTranscribed({
    tools: (server, { requireLogin }) => {
      tool = server.registerTool('hold', {}, async () => textOf('first'));
      tool.update({
        callback: requireLogin(async ({ mcpReq }: { mcpReq: { signal: AbortSignal } }) => {
          started(mcpReq.signal);
          await new Promise<void>((resolve) => {
            finish = resolve;
          });
          return textOf('second');
        }) as never,
      });
    },
  });
  onTestFinished(() => sessions.close());
  const client = await clientOf(era);
  expect((await client.call('hold')).isError).toBe(true);
  const pending = (await client.call('login')).structured ?? {};
  const code = await browse(pending.loginUrl);
  const { structured } = await client.call('login', { ...named(pending), ...(code && { code }) });
  const session = named(structured ?? {});
  const holding = client.call('hold', session);
  const signal = await running;
  expect(signal.aborted).toBe(false);
  await client.call('logout', session);
  expect(signal.aborted).toBe(true);
  finish();
  await holding;
});

it('2026: a call of a tool that an update wraps in `requireLogin` waits for the login', async () => {
  const { here, sessions, provider } = startTranscribed({
    tools: (server, { requireLogin }) => {
      const tool = server.registerTool('greet', {}, async () => textOf('open'));
      tool.update({ callback: requireLogin(async () => textOf('Hello')) as never });
    },
  });
  onTestFinished(() => sessions.close());
  const client = inMemory2026(here, async ({ url }) => {
    await logIn(here, url, { provider, user: 'alice' });
    return 'accept';
  });
  expect((await client.call('greet')).text).toContain('Hello');
});
