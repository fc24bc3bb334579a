import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SessionBench } from '../../../../../test/support/session-bench.js';
import type { SessionFetch } from '../../account/session-fetch.js';
import { SessionStates } from '../../account/session-state.js';
import { TokenRejections } from '../../account/token-rejection.js';
import { SessionError } from '../../errors.js';
import { publicIdOf } from '../../session/ids.js';
import { systemRandom } from '../../vault/random.js';
import { Vault } from '../../vault/vault.js';
import { liveSession, ResourceUpdates, refusingSession } from './session.js';

/** A session whose `fetch` only notes for which provider it is called. */
async function setUp() {
  const bench = new SessionBench();
  const { snapshot, record } = await bench.loggedIn('alice');
  await bench.accounts.commitLogin(snapshot, 'other', bench.provider.grant('bob'));
  const fetched: Parameters<SessionFetch>[] = [];
  const fetch: SessionFetch = (...call) => {
    fetched.push(call);
    return Promise.resolve(new Response('answer'));
  };
  const idOf = (session: typeof snapshot) => publicIdOf(bench.keys, session);
  const states = new SessionStates({
    registry: bench.registry,
    vault: new Vault(bench.keys, systemRandom, 'session-state'),
  });
  const { accounts, refresher, registry, clock } = bench;
  const rejections = new TokenRejections({ accounts, refresher, registry, clock });
  const given = new Map<string, number>();
  const sessionOf = (required?: string) =>
    liveSession(
      snapshot,
      { accounts, rejections, fetch, states, idOf, resourceUpdates: new ResourceUpdates() },
      { required, all: ['idp', 'other', 'third'], given },
    );
  return {
    bench,
    record,
    snapshot,
    fetched,
    session: sessionOf(),
    sessionOf,
  };
}

describe('a session', () => {
  it('gives the token of the first provider, of the required one, or of the named one', async () => {
    const { session, sessionOf } = await setUp();
    const use = (accessToken: string) => Promise.resolve(accessToken);
    expect(await session.withAccessToken(use)).toBe('access-alice-1');
    expect(await sessionOf('other').withAccessToken(use)).toBe('access-bob-2');
    expect(await session.withAccessToken(use, { provider: 'other' })).toBe('access-bob-2');
  });

  it('fetches for the required provider, also as a function of its own', async () => {
    const { session, sessionOf, snapshot, fetched } = await setUp();
    // Any API client takes it in place of the global one.
    const fetch: typeof globalThis.fetch = session.fetch;
    const init = { method: 'POST' };
    expect(await (await fetch('https://api.example.com', init)).text()).toBe('answer');
    await sessionOf('other').fetch('https://api.example.com');
    expect(fetched).toEqual([
      [{ snapshot, preferred: undefined, given: new Map() }, 'https://api.example.com', init],
      [{ snapshot, preferred: 'other', given: new Map() }, 'https://api.example.com'],
    ]);
  });

  it('says who is logged in', async () => {
    const { session, sessionOf } = await setUp();
    const [alice, bob] = [
      { provider: 'idp', subject: 'alice' },
      { provider: 'other', subject: 'bob' },
    ];
    expect(await session.account()).toMatchObject(alice);
    expect(await session.account('other')).toMatchObject(bob);
    expect(await sessionOf('other').account()).toMatchObject(bob);
    expect(await session.account('third')).toBeUndefined();
    expect(await session.accounts()).toEqual([expect.objectContaining(alice), expect.objectContaining(bob)]);
    expect(JSON.stringify(await session.accounts())).not.toContain('access-');
  });

  it('does not show a login that has to be renewed', async () => {
    const { session, bench, record } = await setUp();
    const current = await bench.registry.get(record.ref);
    const account = current?.accounts.idp;
    if (!current || !account) throw new Error('No user is logged in.');
    await bench.refresher.giveUp(current, account, 'grant_revoked');
    expect(await session.account()).toBeUndefined();
    expect(await session.accounts()).toMatchObject([{ provider: 'other' }]);
  });

  it('is signed out at once, and once: a later login stays [security 10]', async () => {
    const { session, bench, record } = await setUp();
    const signal = bench.registry.signalOf(record);
    await session.signOut();
    expect(signal.aborted).toBe(true);
    expect((await bench.registry.get(record.ref))?.accounts).toEqual({});
    await expect(session.account()).rejects.toMatchObject({ code: 'signed_out' });
    await bench.accounts.commitLogin({ ref: record.ref, epoch: 1 }, 'idp', bench.provider.grant('carol'));
    await session.signOut();
    expect((await bench.registry.get(record.ref))?.accounts.idp).toMatchObject({ subject: 'carol' });
    await expect(session.accounts()).rejects.toMatchObject({ code: 'signed_out' });
  });

  it('has state until the sign-out', async () => {
    const { session } = await setUp();
    expect(await session.state.set({ cart: ['tea'] })).toBe(1);
    expect(await session.state.get()).toEqual({ value: { cart: ['tea'] }, version: 1 });
    await session.signOut();
    await expect(session.state.get()).rejects.toMatchObject({ code: 'signed_out' });
  });

  it('has an id that changes with a sign-out', async () => {
    const { session, bench, snapshot } = await setUp();
    expect(session.id).toBe(publicIdOf(bench.keys, snapshot));
    expect(session.id).not.toBe(publicIdOf(bench.keys, { ...snapshot, epoch: 1 }));
  });

  it('gives no access token once it was signed out [security 10]', async () => {
    const { session, bench, record } = await setUp();
    await bench.registry.signOut(record.ref, 'logout');
    await expect(session.withAccessToken(() => Promise.resolve())).rejects.toMatchObject({
      code: 'signed_out',
    });
  });

  it('passes on the error of the callback that got the access token, unless it contains the token [security 48]', async () => {
    const { session } = await setUp();
    const reason = new Error('not now');
    await expect(session.withAccessToken(() => Promise.reject(reason))).rejects.toBe(reason);
    const quoting = session.withAccessToken(async (token) => new Headers({ authorization: `${token}\n1` }));
    const error: unknown = await quoting.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
    expect(inspect(error)).not.toContain('access-alice-1');
  });

  it('refuses the name of a provider that is not configured', async () => {
    const { session } = await setUp();
    const unknown = { code: 'unknown_provider', message: expect.stringContaining('idp, other, third') };
    await expect(session.account('githb')).rejects.toMatchObject(unknown);
    const call = session.withAccessToken(() => Promise.resolve(), { provider: 'githb' });
    await expect(call).rejects.toMatchObject(unknown);
  });

  it('requires a login at a provider at which no user is logged in', async () => {
    const { session } = await setUp();
    const call = session.withAccessToken(() => Promise.resolve(), { provider: 'third' });
    await expect(call).rejects.toMatchObject({ code: 'login_required' });
  });

  it('without a name in the request has no accounts, and rejects calls that need one', async () => {
    const reason = new SessionError('login_required', 'Call the `login` tool.');
    const session = refusingSession(reason);
    await expect(session.fetch('https://api.example.com')).rejects.toBe(reason);
    await expect(session.withAccessToken(() => Promise.resolve())).rejects.toBe(reason);
    await expect(session.state.get()).rejects.toBe(reason);
    await expect(session.state.set(1)).rejects.toBe(reason);
    expect(() => session.id).toThrow('Call the `login` tool.');
    expect(await session.account()).toBeUndefined();
    expect(await session.accounts()).toEqual([]);
    await session.signOut();
  });
});
