import { parseHTML } from 'linkedom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { connect2025, startLogin } from '../support/raw-mcp.js';
import { type SecuredNotes, startSecuredNotes } from '../support/secured-notes.js';
import { locationOf, StepBrowser } from '../support/step-browser.js';

let notes: InProcessNotes;
/** The test advances its clock. */
let timed: InProcessNotes;
const clock = new VirtualClock();
let narrow: InProcessNotes;
let secured: SecuredNotes;
beforeAll(async () => {
  [notes, timed, narrow, secured] = await Promise.all([
    startInProcessNotes({ deviceFlow: 'allowed' }),
    startInProcessNotes({ runtime: { clock } }),
    startInProcessNotes({ limits: { pendingLogins: 1 } }),
    startSecuredNotes('same issuer'),
  ]);
});
afterAll(async () => {
  await Promise.all([notes, timed, narrow, secured].map((server) => server?.close()));
});

/** A login whose callback has not been requested yet. */
async function onTheWayBack({ mcp }: InProcessNotes = notes) {
  const client = await connect2025(mcp);
  const link = await startLogin(client);
  const browser = new StepBrowser();
  const callback = await browser.logInUntilCallback(link, 'alice');
  return { client, link, browser, callback };
}

/** The heading of the page that a browser shows after opening a URL and following its redirects. */
async function arriveAt(browser: StepBrowser, address: string | URL, headers = {}): Promise<string> {
  let url = new URL(address);
  let answer = await browser.request(url, { headers });
  while (answer.headers.location !== undefined) {
    url = locationOf(answer, url);
    answer = await browser.request(url, { headers });
  }
  return parseHTML(answer.text).document.querySelector('h1')?.textContent ?? '';
}

/** The default lifetime of a login. */
const LOGIN_ATTEMPT_MS = 10 * 60 * 1000;
const UNFINISHED = 'Login cannot be completed';
const LINK_EXPIRED = 'Link expired';

describe('the page after a failed login gives the reason', () => {
  it('that the user declined on the connect page', async () => {
    const link = await startLogin(await connect2025(notes.mcp));
    const browser = new StepBrowser();
    const form = await browser.openConnectPage(link);
    const answer = await browser.post(link, { form, action: 'decline' });
    const page = locationOf(answer, link);
    expect(await arriveAt(browser, page)).toBe('Login declined');
    expect((await browser.request(page)).text).not.toContain('If you did not decline');
    expect(await arriveAt(browser, link)).toBe('Login declined');
    for (const action of ['decline', 'continue']) {
      const late = await browser.post(link, { form, action });
      expect(locationOf(late, link).pathname).toBe('/login/failed/declined');
    }
  });

  it('that the user declined at the provider', async () => {
    const link = await startLogin(await connect2025(notes.mcp));
    const browser = new StepBrowser();
    const callback = await browser.authorize(await browser.consent(link), { cancel: 'yes' });
    for (const address of [callback, callback, link]) {
      expect(await arriveAt(browser, address)).toBe('Login declined');
    }
  });

  it('that the login expired, at the provider or before', async () => {
    const { link, browser, callback } = await onTheWayBack(timed);
    await clock.advance(LOGIN_ATTEMPT_MS);
    for (const address of [callback, callback, link]) {
      expect(await arriveAt(browser, address)).toBe('Login expired');
    }
  });

  it('that another browser started the login', async () => {
    const { link, browser, callback } = await onTheWayBack();
    const other = new StepBrowser();
    expect(await arriveAt(other, callback)).toBe('Different browser');
    expect(await arriveAt(browser, callback)).toBe('Different browser');
    expect(await arriveAt(browser, link)).toBe('Different browser');
  });

  it('that the user is not the user of the client', async () => {
    const link = await startLogin(await connect2025(secured.mcp, await secured.wayOf('alice')));
    const browser = secured.browser();
    const callback = await browser.logInUntilCallback(link, 'mallory');
    for (const address of [callback, callback, link]) {
      expect(await arriveAt(browser, address)).toBe('Different user');
    }
  });

  it('that the provider was unreachable', async () => {
    const { link, browser, callback } = await onTheWayBack();
    notes.provider.isDown = true;
    const first = await arriveAt(browser, callback).finally(() => {
      notes.provider.isDown = false;
    });
    for (const heading of [first, await arriveAt(browser, callback), await arriveAt(browser, link)]) {
      expect(heading).toBe('Provider unavailable');
    }
  });

  it('that the provider refused', async () => {
    const { link, browser, callback } = await onTheWayBack();
    callback.searchParams.set('code', 'made-up');
    for (const address of [callback, callback, link]) {
      expect(await arriveAt(browser, address)).toBe('Login rejected');
    }
  });

  it('that five wrong codes were entered, when the code page is loaded again', async () => {
    const { client, link, browser, callback } = await onTheWayBack();
    const fromAfar = { 'x-forwarded-for': '192.0.2.1' };
    const answer = await browser.request(callback, { headers: fromAfar });
    const codePage = locationOf(answer, callback);
    expect(await arriveAt(browser, codePage)).toBe('Confirm in your client');
    for (let tries = 0; tries < 5; tries++) await client.call('login', { code: `000${tries}-0000` });
    for (const address of [codePage, callback, link]) {
      expect(await arriveAt(browser, address)).toBe('Incorrect code');
    }
  });

  it('that a newer login replaced it', async () => {
    const { client, link, browser, callback } = await onTheWayBack();
    await client.call('login', { flow: 'device' });
    for (const address of [callback, callback, link]) {
      expect(await arriveAt(browser, address)).toBe('Login replaced');
    }
  });

  it('that it was evicted', async () => {
    const link = await startLogin(await connect2025(narrow.mcp));
    await startLogin(await connect2025(narrow.mcp));
    expect(await arriveAt(new StepBrowser(), link)).toBe('Too many logins');
  });

  it.each([
    ['logged out', 'logout'],
    ['went', 'end'],
  ] as const)('that the client %s', async (_, way) => {
    const { client, link, browser, callback } = await onTheWayBack();
    await (way === 'end' ? client.end() : client.call('logout'));
    for (const address of [callback, callback, link]) {
      expect(await arriveAt(browser, address)).toBe('Session ended');
    }
  });
});

describe('a link that is opened again while its code is shown', () => {
  it('shows the code again in the browser that has it, and no other one', async () => {
    const { client, link, browser, callback } = await onTheWayBack();
    const answer = await browser.request(callback, { headers: { 'x-forwarded-for': '192.0.2.1' } });
    const codePage = locationOf(answer, callback);
    const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec((await browser.request(codePage)).text)?.[0];
    const again = locationOf(await browser.request(link), link);
    expect((await browser.request(again)).text).toContain(code);
    expect(await arriveAt(new StepBrowser(), link)).toBe(LINK_EXPIRED);
    expect(await arriveAt(new StepBrowser(), again)).toBe(LINK_EXPIRED);
    await client.call('login', { code });
    expect(await arriveAt(browser, link)).toBe(LINK_EXPIRED);
  });
});

describe('a user whose login cannot start', () => {
  it('is told to wait if that helps; otherwise the operator gets an error', async () => {
    const strange = await startSecuredNotes('sign-in');
    try {
      const link = await startLogin(await connect2025(strange.mcp, await strange.wayOf('alice')));
      strange.authorizationServer.isUnknown = true;
      const browser = strange.browser();
      const form = await browser.openConnectPage(link);
      const answer = await browser.post(link, { form, action: 'continue' });
      expect(answer.status).toBe(502);
      expect(answer.text).toContain('tell the operator of this server: the log has the reason');
      expect(answer.text).not.toMatch(/cannot be reached|Wait a minute/);
      expect(strange.audit.entries).toContainEqual(
        expect.objectContaining({ event: 'provider.failed', step: 'discovery', setting: 'issuer' }),
      );
      expect(await arriveAt(browser, link)).toBe('Login rejected');
    } finally {
      await strange.close();
    }
  });
});

describe('the result of a login', () => {
  it('is not shown to a browser without the cookie of the login [security 11]', async () => {
    const { client, browser, callback } = await onTheWayBack();
    await client.call('logout');
    const stranger = new StepBrowser();
    expect(await arriveAt(stranger, callback)).toBe(UNFINISHED);
    const [name] = browser.cookies.keys();
    stranger.cookies.set(String(name), { value: 'another', path: '/' });
    expect(await arriveAt(stranger, callback)).toBe(UNFINISHED);
    expect(await arriveAt(browser, callback)).toBe('Session ended');
  });

  it('is not shown for an unknown state or link', async () => {
    const { client, link, browser, callback } = await onTheWayBack();
    await client.call('logout');
    for (const state of ['', 'A', `${callback.searchParams.get('state')}A`]) {
      const other = new URL(callback);
      other.searchParams.set('state', state);
      expect(await arriveAt(browser, other)).toBe(UNFINISHED);
    }
    expect(await arriveAt(browser, `${link}A`)).toBe(LINK_EXPIRED);
    expect(await arriveAt(browser, `${link}A/code`)).toBe(LINK_EXPIRED);
  });

  it('is not stored after a success', async () => {
    const { link, browser, callback } = await onTheWayBack();
    expect(await arriveAt(browser, callback)).toBe('You are logged in');
    expect(await arriveAt(browser, callback)).toBe(UNFINISHED);
    expect(await arriveAt(browser, link)).toBe(LINK_EXPIRED);
  });
});

describe('the last page of a successful login', () => {
  const textOf = async (browser: StepBrowser, url: URL) =>
    parseHTML((await browser.request(url)).text).document.querySelector('main')?.textContent;

  it('names the user and the client once, and the browser stores no name', async () => {
    const { browser, callback } = await onTheWayBack();
    const done = locationOf(await browser.request(callback), callback);
    expect(done.pathname + done.search).toBe('/login/done');
    expect(await textOf(browser, done)).toContain('You are logged in as alice.');
    expect([...browser.cookies.keys()].join()).not.toContain('mcp-login-done');
    expect(await textOf(browser, done)).not.toContain('alice');
  });

  it('shows only values that this server has written', async () => {
    const { browser, callback } = await onTheWayBack();
    const done = locationOf(await browser.request(callback), callback);
    const key = [...browser.cookies.keys()].find((name) => name.startsWith('mcp-login-done'));
    const { value, path } = browser.cookies.get(String(key))!;
    const forgedValue = value.replace('alice', 'mallory');
    expect(forgedValue).toContain('mallory');
    for (const forged of [forgedValue, forgedValue.replace(/\..*/, ''), '.', 'x']) {
      browser.cookies.set(String(key), { value: forged, path });
      const text = await textOf(browser, done);
      expect(text).toContain('You can close this window');
      expect(text).not.toMatch(/mallory|alice/);
    }
  });

  it('escapes names [security 46]', async () => {
    const link = await startLogin(await connect2025(notes.mcp));
    const browser = new StepBrowser();
    const callback = await browser.logInUntilCallback(link, '<b>\u202e&"');
    const done = locationOf(await browser.request(callback), callback);
    const { text } = await browser.request(done);
    expect(text).toContain('<bdi>&lt;b&gt;&amp;&quot;</bdi>');
  });
});
