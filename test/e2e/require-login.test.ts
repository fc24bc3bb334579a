import { completable, ResourceTemplate } from '@modelcontextprotocol/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { type RegisterTools, SESSION_META_KEY } from '../../packages/sessions/src/index.js';
import { type FaultingProvider, logIn } from '../../packages/sessions/src/testing/index.js';
import { inMemory2025, inMemory2026 } from '../support/in-memory-client.js';
import { ERAS, named, startTranscribed } from '../support/transcribed-server.js';

/** Everything that an author can wrap. Each notes that it ran. */
function registerEverything(ran: string[]): RegisterTools {
  return (server, context) => {
    const contents = (uri: URL) => ({ contents: [{ uri: uri.href, text: 'secret' }] });
    const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: 'secret' } }];
    const completion = (what: string) =>
      context.requireLogin(async () => {
        ran.push(what);
        return ['secret'];
      });
    server.registerResource(
      'diary',
      'notes://diary',
      {},
      context.requireLogin(async (uri: URL) => {
        ran.push('resource');
        return contents(uri);
      }),
    );
    server.registerResource(
      'page',
      new ResourceTemplate('notes://page/{number}', {
        list: context.requireLogin(async () => {
          ran.push('list');
          return { resources: [{ uri: 'notes://page/1', name: 'secret' }] };
        }),
        complete: { number: completion('completion') },
      }),
      {},
      context.requireLogin((uri: URL) => {
        ran.push('template');
        return contents(uri);
      }),
    );
    server.registerPrompt(
      'summary',
      { argsSchema: z.object({ of: completable(z.string(), completion('prompt completion')) }) },
      context.requireLogin(() => {
        ran.push('prompt');
        return { messages };
      }),
    );
    server.registerPrompt(
      'greeting',
      {},
      context.requireLogin(async () => {
        ran.push('bare prompt');
        return { messages };
      }),
    );
    const changed = server.registerTool(
      'changed',
      { description: 'Has another handler by now.' },
      async () => ({
        content: [],
      }),
    );
    changed.update({
      callback: context.requireLogin(async () => {
        ran.push('changed tool');
        return { content: [{ type: 'text' as const, text: 'secret' }] };
      }),
    });
  };
}

const REQUESTS = {
  resource: ['resources/read', { uri: 'notes://diary' }],
  template: ['resources/read', { uri: 'notes://page/1' }],
  list: ['resources/list', {}],
  prompt: ['prompts/get', { name: 'summary', arguments: { of: 'all' } }],
  'bare prompt': ['prompts/get', { name: 'greeting' }],
  completion: [
    'completion/complete',
    {
      ref: { type: 'ref/resource', uri: 'notes://page/{number}' },
      argument: { name: 'number', value: '' },
    },
  ],
  'prompt completion': [
    'completion/complete',
    { ref: { type: 'ref/prompt', name: 'summary' }, argument: { name: 'of', value: '' } },
  ],
} as const;

describe.each(ERAS)('a handler that needs a login (%s)', (era) => {
  async function start(change: { provider?: string } = {}) {
    const ran: string[] = [];
    const server = startTranscribed({
      providers: [{ name: 'work' }, { name: 'home' }],
      tools: (mcp, context) =>
        registerEverything(ran)(mcp, {
          session: () => context.session(),
          requireLogin: (handler, need) => context.requireLogin(handler, { ...change, ...need }),
        }),
    });
    onTestFinished(() => server.sessions.close());
    const client = await (era === '2025' ? inMemory2025(server.here) : inMemory2026(server.here));
    const login = async () => {
      const started = (await client.call('login')).structured;
      await logIn(server.here, started.loginUrl, { provider: server.provider, user: 'alice' });
      return named((await client.call('login', named(started))).structured);
    };
    /** Sends one of the requests, in a session if there is one. */
    const ask = (what: keyof typeof REQUESTS, { session }: Record<string, unknown> = {}) => {
      const [method, params] = REQUESTS[what];
      return client.request(method, {
        ...params,
        ...(session !== undefined && { _meta: { [SESSION_META_KEY]: session } }),
      });
    };
    return { ran, server, client, login, ask };
  }
  const kinds = Object.keys(REQUESTS) as (keyof typeof REQUESTS)[];

  it.each(kinds)('of a %s does not run without one, and its client is told what to do', async (what) => {
    const { ask, ran } = await start();
    await expect(ask(what)).rejects.toThrow(/^-32000: .*[Cc]all (the )?`login`/);
    expect(ran).toEqual([]);
  });

  it.each(kinds)('of a %s runs with one, and not after the logout', async (what) => {
    const { ask, ran, login, client } = await start();
    const session = await login();
    expect(JSON.stringify(await ask(what, session))).toContain('secret');
    expect(ran).toEqual([what]);
    await client.call('logout', session);
    await expect(ask(what, session)).rejects.toThrow(/`login`/);
    expect(ran).toEqual([what]);
  });

  it.each(kinds)('of a %s does not run with a login at another provider', async (what) => {
    const { ask, ran, login } = await start({ provider: 'home' });
    await expect(ask(what, await login())).rejects.toThrow(/provider "home"/);
    expect(ran).toEqual([]);
  });

  it('of a tool that got it later does not run without one', async () => {
    const { client, ran, login } = await start();
    expect(await client.call('changed')).toMatchObject({
      isError: true,
      text: expect.stringMatching(/`login`/),
    });
    expect(ran).toEqual([]);
    expect((await client.call('changed', await login())).text).toBe('secret');
    expect(ran).toEqual(['changed tool']);
  });
});

it('a handler that needs a login does not run for a login that is not finished [security 7]', async () => {
  const ran: string[] = [];
  const server = startTranscribed({ tools: registerEverything(ran) });
  onTestFinished(() => server.sessions.close());
  const client = inMemory2026(server.sessions);
  const { structured } = await client.call('login');
  await server.browse(structured.loginUrl);
  const _meta = { [SESSION_META_KEY]: structured.session };
  await expect(client.request('resources/read', { uri: 'notes://diary', _meta })).rejects.toThrow(
    /login that is not finished/,
  );
  expect(ran).toEqual([]);
});

it('a 2026 request that has no arguments is told how it names its session', async () => {
  const server = startTranscribed({ tools: registerEverything([]) });
  onTestFinished(() => server.sessions.close());
  await expect(inMemory2026(server.here).request('resources/read', { uri: 'notes://diary' })).rejects.toThrow(
    /in `_meta`, as `dev.mcp-sessions\/session`/,
  );
});

describe.each(ERAS)('a handler that requires scopes (%s)', (era) => {
  async function start() {
    const ran: string[] = [];
    const server = startTranscribed({
      tools: (mcp, context) => {
        mcp.registerTool(
          'publish',
          { description: 'Requires a scope besides the configured ones.' },
          context.requireLogin(
            async () => {
              ran.push('publish');
              return { content: [{ type: 'text' as const, text: 'published' }] };
            },
            { scopes: ['notes:write'] },
          ),
        );
      },
    });
    onTestFinished(() => server.sessions.close());
    const client = await (era === '2025' ? inMemory2025(server.here) : inMemory2026(server.here));
    const login = async (args: Record<string, unknown> = {}) => {
      const started = (await client.call('login', args)).structured;
      await logIn(server.here, started.loginUrl, { provider: server.provider, user: 'alice' });
      return named((await client.call('login', { ...args, ...named(started) })).structured);
    };
    return { ran, client, login, provider: server.provider };
  }

  it('does not run with a login that lacks one, and runs after a login that requests it', async () => {
    const { ran, client, login } = await start();
    const session = await login();
    const refused = await client.call('publish', session);
    expect(refused).toMatchObject({
      isError: true,
      text: expect.stringContaining('lacks the scopes ["notes:write"]'),
    });
    expect(ran).toEqual([]);
    const args = { ...session, provider: 'provider', scopes: ['notes:write'] };
    const pending = (await client.call('login', args)).structured;
    expect(pending.next).toMatch(/call `login` again with .*scopes \["notes:write"\]/);
    await login(args);
    expect(await client.call('publish', session)).toMatchObject({ text: 'published' });
    expect(ran).toEqual(['publish']);
  });

  it('does not request a scope again that the provider has refused', async () => {
    const { ran, client, login, provider } = await start();
    provider.failUntilMended('token', withoutRequestedScopes);
    const session = await login({ scopes: ['notes:write'] });
    const refused = await client.call('publish', session);
    expect(refused).toMatchObject({
      isError: true,
      text: expect.stringContaining('did not grant the scopes ["notes:write"]'),
    });
    const again = await client.call('login', { ...session, scopes: ['notes:write'] });
    expect(again.structured).toMatchObject({ status: 'authenticated' });
    expect(ran).toEqual([]);
  });

  it('limits the scopes that a model can request', async () => {
    const { client } = await start();
    const answer = await client.call('login', { scopes: ['admin'] });
    expect(answer).toMatchObject({ isError: true, text: expect.stringContaining('scopes') });
  });
});

describe.each(ERAS)('scopes of several providers (%s)', (era) => {
  const textOf = (text: string) => ({ content: [{ type: 'text' as const, text }] });

  async function start() {
    const server = startTranscribed({
      providers: [{ name: 'work' }, { name: 'home' }, { name: 'plain' }],
      tools: (mcp, { requireLogin, session }) => {
        const scopes = async () => textOf(JSON.stringify((await session().account('work'))?.scopes ?? null));
        const requirements = {
          read: { provider: 'work', scopes: ['work:read'] },
          write: { provider: 'work', scopes: ['work:write'] },
          delete: { provider: 'home', scopes: ['home:delete'] },
        };
        for (const [name, requirement] of Object.entries(requirements))
          mcp.registerTool(name, {}, requireLogin(scopes, requirement));
        mcp.registerTool('scopes', {}, scopes);
        mcp.registerTool('use', {}, async () =>
          textOf(
            String(
              await session()
                .fetch('https://api.test/')
                .then(
                  ({ status }) => status,
                  ({ code }) => code,
                ),
            ),
          ),
        );
        mcp.registerTool('late', {}, async () => {
          try {
            requireLogin(scopes, { provider: 'home', scopes: ['work:read'] });
            return textOf('accepted');
          } catch (error) {
            return textOf((error as Error).message);
          }
        });
      },
    });
    onTestFinished(() => server.sessions.close());
    const client = await (era === '2025' ? inMemory2025(server.here) : inMemory2026(server.here));
    const login = async (user: string, args: Record<string, unknown>) => {
      const started = (await client.call('login', args)).structured;
      await logIn(server.here, started.loginUrl, { provider: server.provider, user });
      return named((await client.call('login', { ...args, ...named(started) })).structured);
    };
    return { client, login, provider: server.provider, clock: server.clock };
  }

  it.each([
    ['home', 'Only ["home:delete"] can be requested there'],
    ['plain', 'Leave `scopes` out'],
  ])('cannot be requested at %s, where no tool requires them', async (provider, next) => {
    const { client } = await start();
    expect(await client.call('login', { provider, scopes: ['work:read'] })).toMatchObject({
      isError: true,
      text: expect.stringMatching(
        `No tool requires the scopes ["work:read"] at "${provider}". ${next}`.replace(/[[\].]/g, '\\$&'),
      ),
    });
  });

  it('are kept by a login of the same account that adds one', async () => {
    const { client, login } = await start();
    const session = await login('alice', { scopes: ['work:read'] });
    await login('alice', { ...session, scopes: ['work:write'] });
    const scopes = JSON.parse((await client.call('scopes', session)).text);
    expect(scopes).toEqual(expect.arrayContaining(['work:read', 'work:write']));
  });

  it('of a login that has ended are not requested for the next user', async () => {
    const { client, login, provider, clock } = await start();
    const session = await login('alice', { scopes: ['work:read'] });
    provider.endGrant('alice');
    await clock.advance(11 * 60_000);
    expect((await client.call('use', session)).text).toBe('reauthentication_required');
    const next = await login('bob', { ...session, scopes: ['work:write'] });
    const scopes = JSON.parse((await client.call('scopes', next)).text);
    expect(scopes).toContain('work:write');
    expect(scopes).not.toContain('work:read');
  });

  it('are refused by `requireLogin` if `login` does not list them', async () => {
    const { client } = await start();
    expect((await client.call('late')).text).toContain('the new scope "work:read" at the provider "home"');
  });
});

async function withoutRequestedScopes(response: Response): Promise<Response> {
  return Response.json({ ...(await response.json()), scope: 'profile' });
}

it.each([
  ['runs when they are granted', () => undefined, /^published/],
  [
    'ends with an error when they are refused',
    (provider: FaultingProvider) => provider.failUntilMended('token', withoutRequestedScopes),
    /did not grant the scopes \["notes:write"\]/,
  ],
] as const)('a tool that requires scopes waits for one login and %s', async (_what, prepare, text) => {
  const asked: string[] = [];
  const server = startTranscribed({
    tools: (mcp, context) => {
      mcp.registerTool(
        'publish',
        {},
        context.requireLogin(async () => ({ content: [{ type: 'text' as const, text: 'published' }] }), {
          scopes: ['notes:write'],
        }),
      );
    },
  });
  onTestFinished(() => server.sessions.close());
  prepare(server.provider);
  const client = inMemory2026(server.here, async ({ url }) => {
    asked.push(url);
    await logIn(server.here, url, { provider: server.provider, user: 'alice' });
    return 'accept';
  });
  expect((await client.call('publish')).text).toMatch(text);
  expect(asked).toHaveLength(1);
});
