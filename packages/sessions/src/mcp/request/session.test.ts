import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SessionBench } from '../../../../../test/support/session-bench.js';
import type { SessionFetch } from '../../account/session-fetch.js';
import { SessionError } from '../../errors.js';
import { LiveSession, refusingSession } from './session.js';

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
  return {
    bench,
    record,
    snapshot,
    fetched,
    session: new LiveSession(snapshot, bench.accounts, fetch, 'idp'),
  };
}

describe('a session', () => {
  it('acts for its default account unless told for which', async () => {
    const { session, snapshot, fetched } = await setUp();
    expect(await (await session.fetch('https://api.example.com')).text()).toBe('answer');
    const init = { method: 'POST' };
    await session.fetch('https://api.example.com', init, { provider: 'other' });
    expect(fetched).toEqual([
      [snapshot, 'idp', 'https://api.example.com', {}],
      [snapshot, 'other', 'https://api.example.com', init],
    ]);
    const use = (accessToken: string) => Promise.resolve(accessToken);
    expect(await session.withAccessToken(use)).toBe('access-alice-1');
    expect(await session.withAccessToken(use, { provider: 'other' })).toBe('access-bob-2');
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

  it('asks for a login at a provider where nobody is logged in', async () => {
    const { session } = await setUp();
    const call = session.withAccessToken(() => Promise.resolve(), { provider: 'third' });
    await expect(call).rejects.toMatchObject({ code: 'login_required' });
  });

  it('that a request does not name refuses everything, and says why', async () => {
    const reason = new SessionError('login_required', 'Call the `login` tool.');
    const session = refusingSession(reason);
    await expect(session.fetch('https://api.example.com')).rejects.toBe(reason);
    await expect(session.withAccessToken(() => Promise.resolve())).rejects.toBe(reason);
  });
});
