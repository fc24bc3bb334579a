import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { client2026, connect2025, type RawClient, startLogin } from '../support/raw-mcp.js';
import { SETTINGS, type SecuredNotes, startSecuredNotes } from '../support/secured-notes.js';
import { locationOf, type StepBrowser } from '../support/step-browser.js';

const ERAS = ['2025', '2026'] as const;
const CODE_PATTERN = /[0-9A-Z]{4}-[0-9A-Z]{4}/;

let users = 0;
const newUser = (role: string) => `${role}-${++users}`;

describe.each(SETTINGS)('behind a TLS proxy, with the login check "%s"', (setting) => {
  let notes: SecuredNotes;
  beforeAll(async () => {
    notes = await startSecuredNotes(setting);
  });
  afterAll(() => notes.close());

  const signsIn = setting === 'sign-in';
  const showsCode = setting.startsWith('code');
  /** The failure of a login that another user completes. */
  const mismatch = /\/login\/failed\/identity_mismatch$/;

  /** The valid upstream tokens of a user. */
  async function livingTokens(username: string): Promise<string[]> {
    return (await notes.upstream.livingTokens())
      .filter(({ user }) => user === username)
      .map(({ token }) => token);
  }

  const clientOf = async (username: string, era: (typeof ERAS)[number]): Promise<RawClient> => {
    const way = await notes.wayOf(username);
    return era === '2025' ? connect2025(notes.mcp, way) : client2026(notes.mcp, undefined, way);
  };

  /** Continues after the connect page: signs in, if required. @returns the authorization URL */
  async function toProvider(browser: StepBrowser, url: URL, username: string): Promise<URL> {
    if (!signsIn) return url;
    const callback = await browser.authorize(url, { username, password: 'any' });
    return locationOf(await browser.request(callback), callback);
  }

  /** Completes a login in one browser. @returns the last URL */
  async function complete(browser: StepBrowser, link: string, username: string): Promise<URL> {
    const atProvider = await toProvider(browser, await browser.consent(link), username);
    if (atProvider.origin !== notes.upstream.issuer) return atProvider;
    const callback = await browser.authorize(atProvider, { username, password: 'any' });
    return locationOf(await browser.request(callback), callback);
  }

  const failureInAudit = (failure: string, earlier: number) =>
    notes.audit.until(`the failure ${failure} in the audit log`, (lines) =>
      lines.slice(earlier).find((line) => line.event === 'login.failed' && line.failure === failure),
    );

  /** Presents wrong codes until no tries are left. */
  async function guess(client: RawClient, earlier: number) {
    for (let tries = 0; tries < 5; tries++) await client.call('login', { code: `000${tries}-0000` });
    await failureInAudit('wrong_code', earlier);
  }

  async function expectNothing(client: RawClient) {
    expect(await client.call('whoami')).toMatchObject({ isError: true });
    expect((await client.call('session_status')).structured.state).not.toBe('authenticated');
  }

  describe.each(ERAS)('for a %s client', (era) => {
    it('a login that its own user completes succeeds [security 7, 14]', async () => {
      const user = newUser('user');
      const client = await clientOf(user, era);
      const browser = notes.browser();
      const end = await complete(browser, await startLogin(client), user);
      if (showsCode) {
        const code = CODE_PATTERN.exec((await browser.request(end)).text)?.[0];
        expect(await client.call('whoami')).toMatchObject({ isError: true });
        expect((await client.call('login', { code })).structured).toMatchObject({ status: 'authenticated' });
      } else {
        expect(end.pathname).toBe('/login/done');
        expect((await client.call('login')).structured).toMatchObject({ account: { subject: user } });
      }
      expect((await client.call('whoami')).structured).toMatchObject({ subject: user });
    });

    it('a forwarded link gives the attacker no access to the account of the victim', async () => {
      const [attacker, victim] = [newUser('attacker'), newUser('victim')];
      const client = await clientOf(attacker, era);
      const earlier = notes.audit.entries.length;
      const browser = notes.browser();
      const end = await complete(browser, await startLogin(client), victim);
      if (showsCode) {
        // Only the browser of the victim shows the code.
        expect((await browser.request(end)).text).toMatch(CODE_PATTERN);
        await guess(client, earlier);
      } else {
        expect(end.pathname).toMatch(mismatch);
        await failureInAudit('identity_mismatch', earlier);
      }
      await expectNothing(client);
      await expect.poll(() => livingTokens(victim)).toEqual([]);
    });

    it('a forwarded authorization URL gives the attacker no access to the account of the victim [security 11]', async () => {
      const [attacker, victim] = [newUser('attacker'), newUser('victim')];
      const client = await clientOf(attacker, era);
      const earlier = notes.audit.entries.length;
      // The browser of the attacker consents, and signs in as the attacker if required.
      const own = notes.browser();
      const atProvider = await toProvider(own, await own.consent(await startLogin(client)), attacker);
      const browser = notes.browser();
      const callback = await browser.authorize(atProvider, { username: victim, password: 'any' });
      expect((await browser.request(callback)).status).toBe(400);
      await failureInAudit('browser_mismatch', earlier);
      // The code has not been redeemed, and the browser of the attacker cannot use it.
      expect(locationOf(await own.request(callback), callback).pathname).toMatch(/\/browser_mismatch$/);
      await expectNothing(client);
      expect(await livingTokens(victim)).toEqual([]);
    });

    it('a connect page with the consent of the attacker gives the attacker no access to the account of the victim [security 11]', async () => {
      const [attacker, victim] = [newUser('attacker'), newUser('victim')];
      const client = await clientOf(attacker, era);
      const earlier = notes.audit.entries.length;
      const link = await startLogin(client);
      const own = notes.browser();
      await toProvider(own, await own.consent(link), attacker);
      const browser = notes.browser();
      const end = await complete(browser, link, victim);
      expect(end.pathname).toMatch(showsCode ? /\/connect\/[^/]+\/code$/ : mismatch);
      if (showsCode) {
        // Neither the cookies of the attacker nor the link reveal the code.
        expect((await own.request(end)).text).not.toMatch(CODE_PATTERN);
        await guess(client, earlier);
      } else await failureInAudit('identity_mismatch', earlier);
      await expectNothing(client);
      await expect.poll(() => livingTokens(victim)).toEqual([]);
    });

    it('the attacker cannot log in to the session of the victim', async () => {
      const [attacker, victim] = [newUser('attacker'), newUser('victim')];
      const client = await clientOf(victim, era);
      const earlier = notes.audit.entries.length;
      const browser = notes.browser();
      const end = await complete(browser, await startLogin(client), attacker);
      await expectNothing(client);
      if (showsCode) {
        expect((await client.call('login')).structured).toMatchObject({ status: 'confirmation_required' });
        await guess(client, earlier);
      } else {
        expect(end.pathname).toMatch(mismatch);
        await failureInAudit('identity_mismatch', earlier);
        // Its user gets the reason and can continue.
        expect(await client.call('login')).toMatchObject({
          isError: true,
          text: expect.stringMatching(/another user/),
        });
      }
      await expectNothing(client);
      await expect.poll(() => livingTokens(attacker)).toEqual([]);
    });

    it('a late callback neither overwrites nor ends a newer login [security 12, 15]', async () => {
      const user = newUser('user');
      const client = await clientOf(user, era);
      const link = await startLogin(client);
      const stale = notes.browser();
      const atProvider = await toProvider(stale, await stale.consent(link), user);
      const callback = await stale.authorize(atProvider, { username: user, password: 'any' });
      // The same user consents in another browser, which replaces the first.
      const browser = notes.browser();
      const onTheWay = await toProvider(browser, await browser.consent(link), user);
      expect((await stale.request(callback)).status).toBe(400);
      const fresh = await browser.authorize(onTheWay, { username: user, password: 'any' });
      const end = locationOf(await browser.request(fresh), fresh);
      expect(end.pathname).toMatch(showsCode ? /\/code$/ : /\/login\/done$/);
      // A callback is valid once.
      expect((await browser.request(fresh)).status).toBe(400);
    });
  });
});
