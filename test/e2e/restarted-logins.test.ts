import { describe, expect, it } from 'vitest';
import { startRenewable } from '../support/renewable-login.js';
import { ERAS, type Era } from '../support/transcribed-server.js';

/** A server whose API demands a scope, as long as `demands` is set, and whose provider shows an error for it. */
async function startDemanding(era: Era) {
  const world = { demands: false };
  const headers = { 'www-authenticate': 'Bearer error="insufficient_scope", scope="notes:write"' };
  const server = await startRenewable(era, {
    api: (_request, user) =>
      world.demands ? new Response('no', { status: 403, headers }) : new Response(user ?? ''),
  });
  const { provider, browse, call } = server;
  const respond = provider.authorizationResponse;
  provider.authorizationResponse = (url, user) => {
    const response = respond(url, user);
    if (new URL(url).searchParams.get('scope')?.includes('notes:write'))
      throw new Error('The page of the provider says: unknown scope.');
    return response;
  };
  /** Opens the link of a `login` as a user does, up to the error of the provider. */
  const open = async (args: Record<string, unknown> = {}) => {
    const { structured } = await call('login', args);
    await expect(browse(structured.loginUrl)).rejects.toThrow('unknown scope');
    return structured;
  };
  return { ...server, world, open };
}

describe.each(ERAS)('`login` with `restart` (%s)', (era) => {
  it('gives another link in place of the pending one, which the user could have opened again', async () => {
    const { call, browse } = await startRenewable(era);
    const { loginUrl } = (await call('login')).structured;
    const again = (await call('login')).structured;
    expect(again).toMatchObject({ status: 'pending', loginUrl });
    expect(again.next).toMatch(
      /Show them loginUrl again if they need it\. It works also after an error of the provider\. If the error comes again, or they want a new link, call `login` again with .*restart: true\./,
    );
    const restarted = (await call('login', { restart: true })).structured;
    expect(restarted).toMatchObject({
      status: 'pending',
      next: expect.stringMatching(/^Show loginUrl to the user.*, without `restart`\.$/),
    });
    expect(restarted.loginUrl).not.toBe(loginUrl);
    expect((await call('login')).structured).toMatchObject({ loginUrl: restarted.loginUrl });
    await expect(browse(loginUrl)).rejects.toThrow('Your client canceled this login.');
    await browse(restarted.loginUrl);
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
  });

  it('leads back to the login before, if the provider shows an error for what an API demands', async () => {
    const { call, login, status, requested, world, open } = await startDemanding(era);
    await login();
    world.demands = true;
    await call('use');
    const { loginUrl } = await open();
    expect((await call('login')).structured).toMatchObject({ status: 'pending', loginUrl });
    expect((await call('login', { restart: true })).structured).toMatchObject({ status: 'authenticated' });
    expect((await status()).next).toMatch(/^Nothing\./);

    // The API demands it again.
    await call('use');
    await open();
    expect(requested.at(-1)?.get('scope')).toContain('notes:write');
    world.demands = false;
    expect(await call('use')).toMatchObject({ text: '200 alice' });
  });

  it('names `renew` for a login over a valid one, which requests less then', async () => {
    const { call, login, requested, world, open, browse } = await startDemanding(era);
    await login();
    world.demands = true;
    await call('use');
    await open({ renew: true });
    expect((await call('login')).structured.next).toContain('renew: true and restart: true');
    const restarted = (await call('login', { renew: true, restart: true })).structured;
    expect(restarted).toMatchObject({
      status: 'pending',
      next: expect.stringMatching(/, without `renew` and `restart`\.$/),
    });
    await browse(restarted.loginUrl);
    expect(requested.at(-1)?.get('scope')).toBe('profile');
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
  });

  it('keeps what an API demands if the user was not at the provider', async () => {
    const { call, login, status, world } = await startDemanding(era);
    await login();
    world.demands = true;
    await call('use');
    const { loginUrl } = (await call('login')).structured;
    const restarted = (await call('login', { restart: true })).structured;
    expect(restarted).toMatchObject({ status: 'pending' });
    expect(restarted.loginUrl).not.toBe(loginUrl);
    expect((await status()).accounts).toMatchObject([{ requiredScopes: ['notes:write'] }]);
  });

  it('gives another code in the device flow', async () => {
    const { clock, provider, call } = await startRenewable(era, { options: { deviceFlow: 'only' } });
    const first = (await call('login')).structured;
    expect((await call('login')).structured.next).toMatch(
      /Show them loginUrl and userCode again.*Both work also after.*a new code, call `login` again with .*restart: true\./,
    );
    const second = (await call('login', { restart: true })).structured;
    expect(second).toMatchObject({ status: 'pending', userCode: expect.any(String) });
    expect(second.userCode).not.toBe(first.userCode);
    provider.approve(String(first.userCode), 'mallory');
    provider.approve(String(second.userCode), 'alice');
    await clock.advance(6000);
    expect((await call('login')).structured).toMatchObject({
      status: 'authenticated',
      account: { subject: 'alice' },
    });
  });

  it('changes nothing about a login that is complete, and is a login if none is pending', async () => {
    const { call, browse, provider } = await startRenewable(era);
    const { loginUrl } = (await call('login', { restart: true })).structured;
    await browse(loginUrl);
    expect((await call('login', { restart: true })).structured).toMatchObject({ status: 'authenticated' });
    expect(provider.livingUsers()).toEqual(['alice']);
    expect(await call('use')).toMatchObject({ text: '200 alice' });
  });
});
