import { Client, StreamableHTTPClientTransport as Transport } from '@modelcontextprotocol/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ToolContext } from '../index.js';
import { connectClient } from '../testing/connect-client.js';
import { FaultingProvider } from '../testing/faulting-provider.js';
import { logIn } from '../testing/log-in.js';
import { createSessions } from './create-sessions.js';
import type { SessionsOptions } from './options.js';
import type { Sessions } from './sessions.js';

const provider = new FaultingProvider();
const options: SessionsOptions = {
  server: { name: 'test', version: '1.0.0' },
  publicUrl: 'http://127.0.0.1:3000',
  providers: provider.options,
  tools: () => undefined,
  runtime: { fetch: provider.fetch },
};
const registration = { issuer: 'https://id.example.com', clientId: 'test' };

/** Starts a server without a network. */
function start(tools: SessionsOptions['tools'] = options.tools): Sessions {
  const sessions = createSessions({ ...options, tools });
  onTestFinished(() => sessions.close({ drainMs: 0 }));
  return sessions;
}

/** Calls a method in a tool of a server that a user has logged in to. */
async function inTool(call: (context: ToolContext) => unknown): Promise<void> {
  let calling: unknown;
  const sessions = start((server, context) => {
    server.registerTool('call', {}, async () => {
      calling = Promise.resolve(call(context));
      await (calling as Promise<unknown>).catch(() => undefined);
      return { content: [] };
    });
  });
  const client = new Client({ name: 'test', version: '1.0.0' });
  await connectClient(sessions, { client, Transport });
  const { structuredContent } = await client.callTool({ name: 'login' });
  const { loginUrl } = structuredContent as { loginUrl: string };
  const { code } = await logIn(sessions, loginUrl, { provider, user: 'alice' });
  await client.callTool({ name: 'login', arguments: { code } });
  await client.callTool({ name: 'call' });
  await client.close();
  await calling;
}

/** A method or an option, the name that it does not have, and a call with it, as code without types has it. */
const CALLS: readonly [where: string, name: string, call: (unknown: never) => unknown][] = [
  ['createSessions', 'provider', (unknown: object) => createSessions({ ...options, ...unknown })],
  [
    'server',
    'instuctions',
    (x: object) => createSessions({ ...options, server: { ...options.server, ...x } }),
  ],
  ['branding', 'title', (unknown) => createSessions({ ...options, branding: unknown })],
  ['lifetimes', 'idleMS', (unknown) => createSessions({ ...options, lifetimes: unknown })],
  ['limits', 'session', (unknown) => createSessions({ ...options, limits: unknown })],
  ['runtime', 'store', (unknown) => createSessions({ ...options, runtime: unknown })],
  ['providers', 'scope', (x: object) => createSessions({ ...options, providers: { ...registration, ...x } })],
  [
    'endpoints',
    'revoke',
    (unknown) => createSessions({ ...options, providers: { ...registration, endpoints: unknown } }),
  ],
  [
    'identityFields',
    'sub',
    (unknown) => createSessions({ ...options, providers: { ...registration, identityFields: unknown } }),
  ],
  ['access', 'audiences', (x: object) => createSessions({ ...options, access: { ...registration, ...x } })],
  [
    'signIn',
    'secret',
    (x: object) =>
      createSessions({
        ...options,
        access: { issuer: registration.issuer, signIn: { clientId: 'test', ...x } },
      }),
  ],
  ['listen', 'prot', (unknown) => start().listen(unknown)],
  ['serveStdio', 'openBrowsers', (unknown) => start().serveStdio(unknown)],
  ['close', 'drain', (unknown) => start().close(unknown)],
  ['sessions.signOut', 'user', (unknown: object) => start().signOut({ subject: 'alice', ...unknown })],
  [
    'requireLogin',
    'scope',
    (unknown) => start((_server, context) => void context.requireLogin(() => 'done', unknown)),
  ],
  [
    'withAccessToken',
    'providr',
    (unknown) => inTool((context) => context.session().withAccessToken(async () => 'done', unknown)),
  ],
  ['state.set', 'ifversion', (unknown) => inTool((context) => context.session().state.set('done', unknown))],
  ['FaultingProvider', 'idToken', (unknown) => new FaultingProvider(unknown)],
  [
    'logIn',
    'timeout',
    (unknown: object) => logIn(start(), 'http://127.0.0.1:3000/', { provider, user: 'alice', ...unknown }),
  ],
  [
    'connectClient',
    'uri',
    (unknown: object) =>
      connectClient(start(), { client: { connect: async () => undefined }, Transport, ...unknown }),
  ],
];

describe('an unknown option', () => {
  it.each(CALLS)('of %s is refused by its name, `%s`', async (_where, name, call) => {
    await expect((async () => call({ [name]: true } as never))()).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining(`unknown option \`${name}\``),
    });
  });
});

describe('options that are no object', () => {
  it.each<[string, (options: never) => unknown]>([
    ['createSessions', (given) => createSessions(given)],
    ['listen', (given) => start().listen(given)],
    ['serveStdio', (given) => start().serveStdio(given)],
    ['sessions.signOut', (given) => start().signOut(given)],
    ['requireLogin', (given) => start((_, context) => void context.requireLogin(() => 'done', given))],
    [
      'withAccessToken',
      (given) => inTool((context) => context.session().withAccessToken(async () => 'done', given)),
    ],
    ['state.set', (given) => inTool((context) => context.session().state.set('done', given))],
  ])('are refused by %s', async (_where, call) => {
    for (const given of [null, 'github', 42])
      await expect((async () => call(given as never))()).rejects.toMatchObject({ code: 'configuration' });
  });
});
