import { describe, expect, it } from 'vitest';
import type { ProviderFault } from '../../packages/sessions/src/testing/index.js';
import { startRenewable } from '../support/renewable-login.js';
import { ERAS, press } from '../support/transcribed-server.js';

const MINUTE = 60_000;
const refused: ProviderFault = {
  status: 403,
  body: '{"error":"unauthorized_client"}',
  headers: { 'content-type': 'application/json' },
};

describe.each(ERAS)('a login whose access token has expired and cannot be renewed (%s)', (era) => {
  it.each<[string, ProviderFault, RegExp]>([
    ['the provider rejects the refresh', refused, /rejected the refresh/],
    ['the provider cannot be reached', 'refused', /is not available/],
  ])('offers to wait and to log in again: %s', async (_what, fault, why) => {
    const { clock, provider, call, login, status } = await startRenewable(era);
    await login();
    provider.failUntilMended('token', fault);
    await clock.advance(11 * MINUTE);

    const failed = await call('use');
    expect(failed.isError).toBe(true);
    expect(failed.text).toMatch(why);
    expect(failed.text).toMatch(
      /[Tt]ry again in \d+ seconds, or call the `login` tool with provider "provider" to log in again/,
    );
    expect(await status()).toMatchObject({
      state: 'expired',
      accounts: [{ provider: 'provider', state: 'expired', subject: 'alice' }],
      next: expect.stringMatching(
        /has expired, and the provider .*The next try is in \d+ seconds\. Call `login` with provider "provider" to log in again now; the current login is kept until that succeeds\./,
      ),
    });
    const [pending, again] = [await call('login'), await call('login')];
    expect(pending.structured).toMatchObject({ status: 'pending', loginUrl: expect.any(String) });
    expect(again.structured).toMatchObject({ loginUrl: pending.structured.loginUrl });
    expect((await status()).state).toBe('pending');
  });

  it('keeps its refresh token until the new login has succeeded, and revokes it then', async () => {
    const { clock, provider, call, browse, login, status } = await startRenewable(era);
    await login();
    provider.failUntilMended('token', refused);
    await clock.advance(11 * MINUTE);
    const { loginUrl } = (await call('login')).structured;
    expect(provider.livingUsers()).toEqual(['alice']);
    expect(provider.requests.revocation).toBe(0);

    provider.mend();
    await browse(loginUrl);
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    await expect.poll(() => provider.livingUsers()).toEqual(['alice']);
    expect(provider.requests.revocation).toBeGreaterThan(0);
    expect(await call('use')).toMatchObject({ text: '200 alice' });
    expect((await status()).next).toMatch(/^Nothing\./);
  });

  it('is good again when the provider is, also while another login is pending', async () => {
    const { clock, provider, call, login, status } = await startRenewable(era);
    await login();
    provider.failUntilMended('token', 'refused');
    await clock.advance(11 * MINUTE);
    expect((await call('login')).structured).toMatchObject({ status: 'pending' });
    provider.mend();
    await clock.advance(MINUTE);
    expect(await call('use')).toMatchObject({ text: '200 alice' });
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect((await status()).state).toBe('authenticated');
  });

  it('is not called good before its access token has expired either', async () => {
    const { clock, provider, call, login, status } = await startRenewable(era);
    await login();
    provider.failUntilMended('token', refused);
    await clock.advance(9 * MINUTE);
    expect(await call('use')).toMatchObject({ text: '200 alice' });
    const { state, next } = await status();
    expect(state).toBe('authenticated');
    expect(next).toMatch(/could not be refreshed.*is valid for \d+ more seconds.*renew: true/);
    expect((await call('login')).structured).toMatchObject({
      status: 'authenticated',
      next: expect.stringMatching(
        /does not renew the access token.*`login` with provider "provider" and renew: true/,
      ),
    });
  });
});

describe.each(ERAS)('a first login that has failed while no call waited (%s)', (era) => {
  it('is reported by `session_status` until another one starts', async () => {
    const { here, call, status } = await startRenewable(era);
    const { loginUrl } = (await call('login')).structured;
    await press('decline', here, loginUrl);
    const declined = {
      state: 'anonymous',
      next: expect.stringMatching(/^The user declined to log in\. Ask them/),
    };
    expect([await status(), await status()]).toMatchObject([declined, declined]);
    expect(await call('login')).toMatchObject({ isError: true, text: expect.stringMatching(/declined/) });
    expect((await status()).next).toMatch(/^Call `login` to log in\.$/);
  });
});

it('a first login that has expired needs no other call before a new link (2025)', async () => {
  const { clock, call } = await startRenewable('2025');
  await call('login');
  await clock.advance(10 * MINUTE);
  expect((await call('login')).structured).toMatchObject({ status: 'pending' });
});

describe.each(ERAS)('`login` with `renew` (%s)', (era) => {
  it('starts a login over a valid one, which stays until the user has completed it', async () => {
    const { provider, call, browse, login, status, requested } = await startRenewable(era);
    await login();
    const started = await call('login', { renew: true });
    expect(started.structured).toMatchObject({
      status: 'pending',
      next: expect.stringMatching(/without `renew`/),
    });
    expect(await call('use')).toMatchObject({ text: '200 alice' });
    expect((await status()).next).toMatch(/^A login is pending\./);
    for (const args of [{}, { renew: true }]) {
      expect((await call('login', args)).structured).toMatchObject({
        status: 'pending',
        loginUrl: started.structured.loginUrl,
      });
    }
    await browse(started.structured.loginUrl);
    expect(requested.map((request) => request.get('prompt'))).toEqual([null, 'login']);
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    await expect.poll(() => provider.livingUsers()).toEqual(['alice']);
    expect(await call('use')).toMatchObject({ text: '200 alice' });
  });

  it('reports that the user declined, and that the login before it is valid', async () => {
    const { here, call, login } = await startRenewable(era);
    await login();
    const { loginUrl } = (await call('login', { renew: true })).structured;
    await press('decline', here, loginUrl);
    expect(await call('login')).toMatchObject({
      isError: true,
      text: expect.stringMatching(/declined.*The login before it is still valid\./),
    });
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect(await call('use')).toMatchObject({ text: '200 alice' });
  });

  it('tells a call that waits that its code has expired, and how to renew the valid login again', async () => {
    const { provider, call, login } = await startRenewable(era, { options: { deviceFlow: 'allowed' } });
    await login();
    const { userCode } = (await call('login', { flow: 'device', renew: true })).structured;
    provider.expire(String(userCode));
    expect(await call('login')).toMatchObject({
      isError: true,
      text: expect.stringMatching(
        /^The login was not completed in time\. The login before it is still valid\..* to try again, call `login` with provider "provider" and renew: true\.$/,
      ),
    });
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect((await call('login', { renew: true })).structured).toMatchObject({ status: 'pending' });
  });

  it.each<[string, Record<string, unknown>, number]>([
    ['a link', {}, 10 * MINUTE],
    ['a code', { flow: 'device' }, 11 * MINUTE],
  ])('reports once that it has expired while no call waited, with %s', async (_what, args, lifetimeMs) => {
    const server = await startRenewable(era, { options: { deviceFlow: 'allowed' } });
    const { clock, events, call, login, status } = server;
    await login();
    await call('login', { ...args, renew: true });
    await clock.advance(lifetimeMs);
    expect(events.filter(({ type }) => type === 'login.failed')).toMatchObject([
      { provider: 'provider', failure: 'expired' },
    ]);
    const expired =
      /^The login was not completed in time\. The login before it is still valid\..* call `login` with provider "provider" and renew: true\.$/;
    expect(await status()).toMatchObject({ state: 'authenticated', next: expect.stringMatching(expired) });
    expect(await call('login')).toMatchObject({ isError: true, text: expect.stringMatching(expired) });
    expect((await status()).next).toMatch(/^Nothing\./);
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect(await call('use')).toMatchObject({ text: '200 alice' });
  });

  it('starts another one in place of one that has expired', async () => {
    const { clock, call, login } = await startRenewable(era);
    await login();
    const first = (await call('login', { renew: true })).structured.loginUrl;
    await clock.advance(10 * MINUTE);
    const { status, loginUrl } = (await call('login', { renew: true })).structured;
    expect(status).toBe('pending');
    expect(loginUrl).not.toBe(first);
  });

  it('is completed within one call by a client that opens the link', async () => {
    const opened: Promise<unknown>[] = [];
    const server = await startRenewable(era, {
      answer: async ({ url }) => {
        // In 2026 the user is done before the next round, in 2025 while the call waits.
        const answered = era === '2026' ? Promise.resolve() : new Promise((resolve) => setImmediate(resolve));
        const browsed = answered.then(() => server.browse(url));
        opened.push(browsed);
        if (era === '2026') await browsed;
        return 'accept';
      },
    });
    const { provider, call } = server;
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect((await call('login', { renew: true })).structured).toMatchObject({ status: 'authenticated' });
    expect(await Promise.all(opened)).toHaveLength(2);
    await expect.poll(() => provider.livingUsers()).toEqual(['alice']);
  });

  it('without a login is a login', async () => {
    const { call, login } = await startRenewable(era);
    expect((await login({ renew: true })).structured).toMatchObject({ status: 'authenticated' });
    expect(await call('use')).toMatchObject({ text: '200 alice' });
  });
});

const KEPT = 'Your login from before is still valid.';

describe.each(ERAS)('the page of a login over another one (%s)', (era) => {
  /** A server whose logins begin with a request to the provider. */
  const start = () => startRenewable(era, { quirks: ['par_required'] });
  /** The text of the page on which a link ends. */
  const pageOf = (browsing: Promise<unknown>) => browsing.then(() => 'You are logged in', String);

  it('says that the one before is valid, if the provider cannot be used now', async () => {
    const { clock, provider, call, browse, login } = await start();
    provider.failUntilMended('pushed_authorization', { status: 503 });
    const first = (await call('login')).structured.loginUrl;
    const unavailable = await pageOf(browse(first));
    expect(unavailable).toContain('has not started');
    expect(unavailable).not.toContain(KEPT);
    provider.mend();
    await browse(first);
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });

    provider.failUntilMended('pushed_authorization', { status: 503 });
    const { loginUrl } = (await call('login', { renew: true })).structured;
    expect(await pageOf(browse(loginUrl))).toContain(KEPT);

    // The access token expires, and the login before cannot be renewed.
    provider.endGrant('alice');
    await clock.advance(9 * MINUTE);
    const late = await pageOf(browse(loginUrl));
    expect(late).toContain('has not started');
    expect(late).not.toContain(KEPT);
    provider.mend();
    expect((await login()).structured).toMatchObject({ status: 'authenticated' });
  });

  it('says so if the login has expired, as long as it is known whose it was', async () => {
    const { clock, call, browse, login } = await start();
    await login();
    const { loginUrl } = (await call('login', { renew: true })).structured;
    await clock.advance(10 * MINUTE);
    const expired = await pageOf(browse(loginUrl));
    expect(expired).toContain('The login was not completed in time.');
    expect(expired).toContain(`${KEPT} If you need the new login, ask your client to log in again.`);
    await clock.advance(11 * MINUTE);
    expect(await pageOf(browse(loginUrl))).toContain('An expired link does not end an earlier login.');
  });

  it('does not say so if the first login has expired', async () => {
    const { clock, call, browse } = await start();
    const { loginUrl } = (await call('login')).structured;
    await clock.advance(10 * MINUTE);
    const expired = await pageOf(browse(loginUrl));
    expect(expired).toContain('The login was not completed in time.');
    expect(expired).not.toContain(KEPT);
  });
});
