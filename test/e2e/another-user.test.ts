import { describe, expect, it, onTestFinished } from 'vitest';
import type { SessionEvent } from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { inMemory2025, inMemory2026 } from '../support/in-memory-client.js';
import { createLatch } from '../support/latch.js';
import { ISSUER, startTokenIssuer, withToken } from '../support/token-issuer.js';
import { ERAS, type Era, named, startTranscribed } from '../support/transcribed-server.js';

const text = (value: unknown) => ({
  content: [{ type: 'text' as const, text: JSON.stringify(value) ?? 'undefined' }],
});
const codeOf = (error: unknown) => (error as { code?: string } | undefined)?.code;

const CASES = ERAS.flatMap((era) => (['open', 'bearer'] as const).map((access) => [era, access] as const));

/** A session of alice at two providers, with a running call of hers. */
async function start(era: Era, access: 'open' | 'bearer') {
  const issuer = startTokenIssuer();
  const clock = new VirtualClock();
  const usedBy: (string | undefined)[] = [];
  const api = (_request: Request, user: string | undefined) => {
    usedBy.push(user);
    return Response.json({});
  };
  const other = new FaultingProvider({
    name: 'other',
    issuer: 'https://other.test',
    apiOrigins: [],
    fetch: issuer.fetch,
  });
  const provider = new FaultingProvider({ api, fetch: other.fetch });
  const held = createLatch();
  const released = createLatch();
  const done = createLatch();
  const late: Record<string, unknown> = {};
  const server = startTranscribed({
    providers: [{ ...provider.options, deviceFlow: 'allowed' }, other.options],
    runtime: { fetch: provider.fetch, clock },
    ...(access === 'bearer' && { access: { issuer: ISSUER } }),
    tools: (mcp, context) => {
      mcp.registerTool(
        'more',
        {},
        context.requireLogin(async () => text('ran'), { scopes: ['extra'] }),
      );
      mcp.registerTool('who', {}, async () => {
        const session = context.session();
        const accounts = (await session.accounts()).map((each) => `${each.subject}@${each.provider}`);
        return text({ id: session.id, accounts, state: (await session.state.get()).value });
      });
      mcp.registerTool(
        'set',
        {},
        context.requireLogin(async () => text(await context.session().state.set('of bob'))),
      );
      mcp.registerTool(
        'hold',
        {},
        context.requireLogin(async ({ mcpReq }) => {
          const session = context.session();
          const version = await session.state.set('of alice');
          held.open();
          await released.opened;
          late.aborted = codeOf(mcpReq.signal.reason);
          late.account = await session.account().catch(codeOf);
          late.fetch = await session.fetch('https://api.test/', { method: 'DELETE' }).catch(codeOf);
          late.token = await session.withAccessToken(async () => 'used').catch(codeOf);
          late.set = await session.state.set('of alice, later', { ifVersion: version ?? 0 }).catch(codeOf);
          late.signOut = await session.signOut();
          done.open();
          return text('done');
        }),
      );
    },
  });
  onTestFinished(() => server.sessions.close());
  const events: SessionEvent[] = [];
  server.sessions.onEvent((event) => void events.push(event));
  const here = access === 'bearer' ? withToken(server.here, issuer.tokenOf('caller')) : server.here;
  const client = await (era === '2025' ? inMemory2025(here) : inMemory2026(here));
  /** Logs a user in, in the session that the arguments name. @returns the arguments that name the session after it */
  const logInAs = async (user: string, given: Record<string, unknown> = {}) => {
    const started = (await client.call('login', given)).structured;
    const at = given.provider === 'other' ? other : provider;
    await logIn(server.here, started.loginUrl, { provider: at, user });
    return named((await client.call('login', { ...given, ...named(started) })).structured);
  };
  const who = async (session: Record<string, unknown>) =>
    JSON.parse((await client.call('who', session)).text) as Record<string, unknown>;
  const alice = await logInAs('alice');
  await logInAs('alice', { ...alice, provider: 'other' });
  const holding = client.call('hold', alice);
  await held.opened;
  const finish = async () => {
    released.open();
    await Promise.all([done.opened, holding]);
    return late;
  };
  return { client, server, clock, provider, events, logInAs, who, alice, finish, usedBy };
}

describe.each(CASES)('the login of another user in a session (%s, %s access)', (era, access) => {
  it('signs the first user out: calls, session objects, state and id end [security 7, 8, 10]', async () => {
    const { client, logInAs, who, alice, finish, usedBy } = await start(era, access);
    const before = await who(alice);
    expect(before).toMatchObject({ accounts: ['alice@provider', 'alice@other'], state: 'of alice' });
    const bob = await logInAs('bob', { ...alice, scopes: ['extra'] });
    expect((await client.call('set', bob)).text).toBe('1');
    expect(await finish()).toEqual({
      aborted: 'signed_out',
      account: 'signed_out',
      fetch: 'signed_out',
      token: 'signed_out',
      set: 'signed_out',
      signOut: undefined,
    });
    expect(usedBy).toEqual([]);
    const after = await who(bob);
    expect(after).toEqual({ id: expect.any(String), accounts: ['bob@provider'], state: 'of bob' });
    expect(after.id).not.toBe(before.id);
  });

  it('emits the sign-out under the id of the first user, then the login under a new one', async () => {
    const { events, logInAs, who, alice, finish } = await start(era, access);
    const { id } = await who(alice);
    events.length = 0;
    await logInAs('bob', { ...alice, scopes: ['extra'] });
    await finish();
    const changes = events.filter(
      ({ type }) => type === 'session.signed_out' || type === 'account.authenticated',
    );
    expect(changes).toEqual([
      expect.objectContaining({ type: 'session.signed_out', session: id, reason: 'other_user' }),
      expect.objectContaining({ type: 'account.authenticated', provider: 'provider', subject: 'bob' }),
    ]);
    expect(changes[1]).not.toMatchObject({ session: id });
    const revoked = events.filter(({ type }) => type === 'account.revoked');
    expect(revoked).toEqual(
      expect.arrayContaining(
        ['provider', 'other'].map((provider) =>
          expect.objectContaining({ provider, subject: 'alice', session: id }),
        ),
      ),
    );
  });

  it('after a logout from that provider only, leaves no account of the first at another', async () => {
    const { client, logInAs, who, alice, finish } = await start(era, access);
    await client.call('logout', { ...alice, provider: 'provider' });
    const mallory = await logInAs('mallory', alice);
    expect(await who(mallory)).toEqual({ id: expect.any(String), accounts: ['mallory@provider'] });
    expect(await finish()).toMatchObject({ aborted: 'signed_out', account: 'signed_out' });
  });

  it('ends the other pending logins of the session [security 15, 22]', async () => {
    const { client, server, logInAs, who, alice, finish } = await start(era, access);
    await client.call('logout', { ...alice, provider: 'other' });
    const pending = (await client.call('login', { ...alice, provider: 'other' })).structured;
    const bob = await logInAs('bob', { ...alice, scopes: ['extra'] });
    await finish();
    const page = await server.here.handleRequest(new Request(String(pending.loginUrl)));
    expect(await page.text()).not.toContain('name="form"');
    expect(await who(bob)).toMatchObject({ accounts: ['bob@provider'] });
  });

  it('does not sign out a user who logs in again', async () => {
    const { client, events, logInAs, who, alice, finish } = await start(era, access);
    const before = await who(alice);
    const again = await logInAs('alice', { ...alice, scopes: ['extra'] });
    expect(again).toEqual(alice);
    expect(await who(again)).toEqual(before);
    expect((await client.call('more', again)).text).toBe('"ran"');
    expect(events.map(({ type }) => type)).not.toContain('session.signed_out');
    expect(await finish()).toMatchObject({ aborted: undefined, set: 2 });
  });
});

it.each(CASES)(
  'another user who approves the code of the device flow signs the first one out (%s, %s access) [security 8, 10]',
  async (era, access) => {
    const { client, clock, provider, events, who, alice, finish } = await start(era, access);
    const login = { ...alice, flow: 'device', scopes: ['extra'] };
    const { userCode } = (await client.call('login', login)).structured;
    provider.approve(String(userCode), 'bob');
    await clock.advance(5_000);
    await expect.poll(() => events.map(({ type }) => type)).toContain('session.signed_out');
    expect(await finish()).toMatchObject({ aborted: 'signed_out', token: 'signed_out', set: 'signed_out' });
    const bob = named((await client.call('login', login)).structured);
    expect(await who(bob)).toEqual({ id: expect.any(String), accounts: ['bob@provider'] });
  },
);

it('the login of another user voids the session handle, and `login` returns a new one [security 7]', async () => {
  const { client, server, provider, who, alice, finish } = await start('2026', 'open');
  const { loginUrl } = (await client.call('login', { ...alice, scopes: ['extra'] })).structured;
  await logIn(server.here, loginUrl, { provider, user: 'bob' });
  await finish();
  expect(await client.call('set', alice)).toMatchObject({
    isError: true,
    text: expect.stringContaining('Call `login` with it until it returns the session handle'),
  });
  const bob = named((await client.call('login', alice)).structured);
  expect(bob.session).not.toBe(alice.session);
  expect(await who(bob)).toMatchObject({ accounts: ['bob@provider'] });
  expect(await client.call('set', alice)).toMatchObject({
    isError: true,
    text: expect.stringContaining('has ended: the login was finished and has a new handle'),
  });
});
