import { describe, expect, it, onTestFinished } from 'vitest';
import { createSessions, type SessionEvent } from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { inMemory2025, inMemory2026, reachedFrom } from '../support/in-memory-client.js';
import { ERAS, type Era, named } from '../support/transcribed-server.js';

type Mode = 'token' | 'grant' | 'none';

/** A provider that keeps one grant for each user: revoking any token ends all of them. */
function start(revocation: Mode) {
  const clock = new VirtualClock();
  const provider = new FaultingProvider({
    quirks: ['revocation_ends_all_grants'],
    api: (_request, user) => new Response(user ?? '', { status: user ? 200 : 401 }),
  });
  const sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    publicUrl: 'http://127.0.0.1:3000',
    providers: { ...provider.options, revocation },
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch, clock },
    tools: (server, context) => {
      server.registerTool('who', {}, async () => {
        const response = await context.session().fetch('https://api.test/');
        return { content: [{ type: 'text', text: `${response.status} ${await response.text()}` }] };
      });
    },
  });
  onTestFinished(() => sessions.close());
  const events: SessionEvent[] = [];
  sessions.onEvent((event) => events.push(event));
  const here = reachedFrom(sessions, '127.0.0.1');
  const browse = (loginUrl: unknown) => logIn(here, loginUrl, { provider, user: 'alice' });
  /** A client of alice, who logs in. */
  const connect = async (era: Era) => {
    const client = await (era === '2025' ? inMemory2025(here) : inMemory2026(here));
    let session: Record<string, unknown> = {};
    const call = async (tool: string, args: Record<string, unknown> = {}) => {
      const result = await client.call(tool, { ...session, ...args });
      session = { ...session, ...named(result.structured ?? {}) };
      return result;
    };
    const login = async (args: Record<string, unknown> = {}) => {
      await browse((await call('login', args)).structured.loginUrl);
      expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    };
    const end = () => ('end' in client ? client.end() : call('logout'));
    return { call, login, end, who: async () => (await call('who')).text };
  };
  const connected = async (era: Era) => {
    const client = await connect(era);
    await client.login();
    return client;
  };
  const revocations = () =>
    events.flatMap((event) => (event.type === 'account.revoked' ? [event.revocation] : []));
  return { clock, provider, sessions, browse, connect, connected, revocations };
}

type Setting = ReturnType<typeof start>;
type Client = Awaited<ReturnType<Setting['connected']>>;

/** What can end one login of a user who has another one. */
const ENDS: readonly {
  readonly what: string;
  readonly end: (setting: Setting, client: Client, era: Era) => Promise<unknown>;
}[] = [
  { what: 'a logout', end: (_setting, client) => client.call('logout') },
  { what: 'the end of its session', end: (_setting, client) => client.end() },
  {
    what: 'a sign-out by the operator',
    end: async ({ sessions }) => {
      const [oldest] = await sessions.list();
      await sessions.signOut({ session: oldest?.id ?? '' });
    },
  },
  { what: 'another login in its session', end: (_setting, client) => client.login({ renew: true }) },
  {
    what: 'a login that fails, in a third session',
    end: async ({ provider, browse, connect }, _client, era) => {
      const third = await connect(era);
      const { loginUrl } = (await third.call('login')).structured;
      provider.failNext('userinfo', { status: 400 });
      await expect(browse(loginUrl)).rejects.toThrow('failed');
    },
  },
];

describe.each(ERAS)('a provider with one grant for each user (%s)', (era) => {
  it.each(ENDS)('leaves the other login alone with `revocation: grant`: $what', async ({ end }) => {
    const setting = start('grant');
    const first = await setting.connected(era);
    const other = await setting.connected('2025');
    await end(setting, first, era);
    await setting.clock.advance(0);
    expect(setting.provider.requests.revocation).toBe(0);
    expect(setting.revocations().filter((each) => each !== 'deferred')).toEqual([]);
    expect(await other.who()).toBe('200 alice');
  });

  it('revokes the grant when the last login of its user ends', async () => {
    const { provider, connected, revocations } = start('grant');
    const first = await connected(era);
    const other = await connected('2025');
    const outcome = (await first.call('logout')).structured;
    expect(outcome).toMatchObject({ accounts: [{ provider: 'provider', revocation: 'deferred' }] });
    expect(provider.livingUsers()).toEqual(['alice', 'alice']);
    expect((await other.call('logout')).structured).toMatchObject({
      accounts: [{ revocation: 'confirmed' }],
    });
    expect(provider.livingUsers()).toEqual([]);
    expect(revocations()).toEqual(['deferred', 'confirmed']);
  });

  it('keeps the grant for a login that waits for its confirmation code', async () => {
    const { provider, sessions, connect, connected } = start('grant');
    const waiting = await connect(era);
    const { loginUrl } = (await waiting.call('login')).structured;
    // This browser is on another machine.
    const { code } = await logIn(sessions, loginUrl, { provider, user: 'alice' });
    const other = await connected('2025');
    expect((await other.call('logout')).structured).toMatchObject({ accounts: [{ revocation: 'deferred' }] });
    expect((await waiting.call('login', { code })).structured).toMatchObject({ status: 'authenticated' });
    expect(await waiting.who()).toBe('200 alice');
    await waiting.call('logout');
    expect(provider.livingUsers()).toEqual([]);
  });

  it('revokes the grants of all users when the server closes', async () => {
    const { provider, sessions, connected } = start('grant');
    await connected(era);
    await connected('2025');
    await sessions.close();
    await expect.poll(() => provider.livingUsers()).toEqual([]);
  });

  it('keeps the grant with `revocation: none`', async () => {
    const { provider, connected } = start('none');
    const first = await connected(era);
    const other = await connected('2025');
    expect((await first.call('logout')).structured).toMatchObject({
      accounts: [{ revocation: 'unsupported' }],
    });
    expect(await other.who()).toBe('200 alice');
    await other.call('logout');
    expect(provider.requests.revocation).toBe(0);
  });

  it('ends the other login with the default, which follows RFC 7009', async () => {
    const { connected } = start('token');
    const first = await connected(era);
    const other = await connected('2025');
    expect((await first.call('logout')).structured).toMatchObject({
      accounts: [{ revocation: 'confirmed' }],
    });
    expect(await other.who()).not.toBe('200 alice');
  });
});
