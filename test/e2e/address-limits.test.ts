import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createSessions } from '../../packages/sessions/src/index.js';
import { Browser } from '../support/browser.js';
import {
  type InProcessNotes,
  type InProcessNotesOptions,
  startInProcessNotes,
} from '../support/in-process-notes.js';
import { ManualClock } from '../support/manual-clock.js';
import {
  client2026,
  connect2025,
  initialize,
  messageOf,
  type RawAnswer,
  type RawClient,
  type RawWay,
  send,
  startLogin,
} from '../support/raw-mcp.js';
import { StepBrowser } from '../support/step-browser.js';

const MINUTE_MS = 60_000;
const clock = new ManualClock();
let notes: InProcessNotes;
beforeAll(async () => {
  // Requests through a trusted proxy on this machine count as remote.
  notes = await startNotes({
    trustedProxies: ['127.0.0.1', '10.0.0.0/8'],
    limits: { anonymousSessionsPerAddress: 200 },
  });
});
afterAll(() => notes.close());

const startNotes = (options: InProcessNotesOptions) =>
  startInProcessNotes({ access: 'open-to-network', runtime: { clock }, ...options });

/** The header that the proxy adds to a request from an address. */
const from = (address: string): RawWay => ({ headers: { 'x-forwarded-for': address } });

const initializeOften = (times: number, wayOf: (index: number) => RawWay, { mcp } = notes) =>
  Promise.all(Array.from({ length: times }, (_, index) => initialize(mcp, wayOf(index))));

const statusesOf = (answers: readonly RawAnswer[]) => {
  const counts = new Map<number, number>();
  for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1);
  return Object.fromEntries(counts);
};

/** Logs a remote client in, with the confirmation code. */
async function logInWithCode(client: RawClient, username: string): Promise<void> {
  const page = await new Browser().logIn(await startLogin(client), username);
  const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text)?.[0];
  expect((await client.call('login', { code })).structured).toMatchObject({ status: 'authenticated' });
  expect((await client.call('whoami')).structured).toMatchObject({ subject: username });
}

const eras = {
  '2025': (way: RawWay): Promise<RawClient> => connect2025(notes.mcp, way),
  '2026': async (way: RawWay): Promise<RawClient> => client2026(notes.mcp, undefined, way),
};

describe('an address that starts sessions and does not log in', () => {
  const flood = from('203.0.113.1');

  it('gets sessions up to the limit, then 429 with Retry-After [security 39]', async () => {
    const answers = await initializeOften(210, () => flood);
    expect(statusesOf(answers)).toEqual({ 200: 200, 429: 10 });
    const refused = await initialize(notes.mcp, flood);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(messageOf(refused).error?.message).toMatch(/your address .* Log in .* Try again in/);
    const { isError, text } = await client2026(notes.mcp, undefined, flood).call('login');
    expect({ isError, text }).toEqual({ isError: true, text: expect.stringMatching(/Try again in/) });
  });

  it('does not get more sessions with a forged X-Forwarded-For [security 39]', async () => {
    const answers = await initializeOften(20, (index) => from(`198.51.100.${index}, 203.0.113.1`));
    expect(statusesOf(answers)).toEqual({ 429: 20 });
    const viaTwo = await initialize(notes.mcp, from('198.51.100.1, 203.0.113.1, 10.1.1.1'));
    expect(viaTwo.status).toBe(429);
  });

  it.each(Object.entries(eras))(
    'does not keep other addresses from logging in in %s [security 39, 41]',
    async (era, connect) => {
      await logInWithCode(await connect(from('203.0.113.2')), `neighbour-${era}`);
    },
  );

  it('keeps its sessions, and gets another one when one has ended or has been idle [security 39]', async () => {
    const late = from('203.0.113.3');
    const client = await connect2025(notes.mcp, late);
    await initializeOften(199, () => late);
    expect((await initialize(notes.mcp, late)).status).toBe(429);
    expect(await client.call('session_status')).toMatchObject({ isError: false });
    await client.end();
    expect((await initialize(notes.mcp, late)).status).toBe(200);
    expect((await initialize(notes.mcp, late)).status).toBe(429);
    clock.advance(10 * MINUTE_MS);
    expect(statusesOf(await initializeOften(20, () => late))).toEqual({ 200: 20 });
  });

  it('is a /64 network in IPv6 [security 39]', async () => {
    const answers = await initializeOften(210, (index) => from(`2001:db8:0:1:${index.toString(16)}::1`));
    expect(statusesOf(answers)).toEqual({ 200: 200, 429: 10 });
    expect((await initialize(notes.mcp, from('2001:db8:0:2::1'))).status).toBe(200);
  });
});

describe('the X-Forwarded-For header of a client', () => {
  it('is ignored where no proxy is trusted [security 39]', async () => {
    const bare = await startNotes({ limits: { anonymousSessionsPerAddress: 5 } });
    onTestFinished(() => bare.close());
    const answers = await initializeOften(9, (index) => from(`203.0.113.${index}`), bare);
    expect(statusesOf(answers)).toEqual({ 200: 5, 429: 4 });
  });

  it('is ignored if the request comes through another proxy than the trusted one [security 39]', async () => {
    const other = await startNotes({
      trustedProxies: ['10.0.0.0/8', '::1'],
      limits: { anonymousSessionsPerAddress: 5 },
    });
    onTestFinished(() => other.close());
    const answers = await initializeOften(9, (index) => from(`203.0.113.${index}, 10.0.0.1`), other);
    expect(statusesOf(answers)).toEqual({ 200: 5, 429: 4 });
  });

  it('does not make the client local: its logins need a confirmation code', async () => {
    for (const address of ['127.0.0.1', '::1']) {
      const client = await connect2025(notes.mcp, from(address));
      const page = await new Browser().logIn(await startLogin(client), 'alice');
      expect(page.url).toMatch(/\/code$/);
    }
  });
});

describe('an address that starts logins', () => {
  it('starts logins up to the limit per minute, then gets an error that says when to retry [security 39, 41]', async () => {
    const notes = await startNotes({
      trustedProxies: ['127.0.0.1'],
      limits: { loginStartsPerMinute: 20 },
    });
    onTestFinished(() => notes.close());
    const flood = from('203.0.113.10');
    const client = await connect2025(notes.mcp, flood);
    const logins = await Promise.all(
      Array.from({ length: 20 }, () => client2026(notes.mcp, undefined, flood).call('login')),
    );
    expect(logins.every(({ structured }) => structured.status === 'pending')).toBe(true);

    const startedBefore = notes.events.length;
    const refusal = { isError: true, text: expect.stringMatching(/Too many logins .* Try again in/) };
    expect(await client2026(notes.mcp, undefined, flood).call('login')).toMatchObject(refusal);
    expect(await client.call('login')).toMatchObject(refusal);
    const since = notes.events.slice(startedBefore).map(({ type }) => type);
    expect(since).toEqual(['login.refused', 'login.refused']);

    await logInWithCode(client2026(notes.mcp, undefined, from('203.0.113.11')), 'neighbour');
    clock.advance(MINUTE_MS);
    await logInWithCode(client, 'waiting');
  });
});

describe('an address that requests login pages without a valid link', () => {
  const callback = () => new URL('/callback?state=x&code=y', notes.mcp);

  it('gets 300 pages per minute, then 429 with a page that says when to retry [security 41]', async () => {
    const flood = from('203.0.113.20');
    const client = await connect2025(notes.mcp, flood);
    const link = await startLogin(client);
    const answers = await Promise.all(Array.from({ length: 310 }, () => send(callback(), flood)));
    expect(statusesOf(answers)).toEqual({ 400: 300, 429: 10 });
    const refused = await send(new URL(`/connect/${'x'.repeat(43)}`, notes.mcp), flood);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused.headers['content-security-policy']).toContain("default-src 'none'");
    expect(refused.text).toMatch(/Wait (a second|\d+ seconds), then reload this page/);

    expect(await client.call('session_status')).toMatchObject({ isError: false });
    expect((await send(callback(), from('203.0.113.21'))).status).toBe(400);
    expect((await send(link, flood)).status).toBe(200);
    clock.advance(MINUTE_MS);
    expect((await send(callback(), flood)).status).toBe(400);
  });

  it('does not keep its users from logging in, because requests of a login do not count for the address [security 41]', async () => {
    const office = from('203.0.113.22');
    const client = await connect2025(notes.mcp, office);
    await Promise.all(Array.from({ length: 301 }, () => send(callback(), office)));
    expect((await send(callback(), office)).status).toBe(429);
    const browser = new StepBrowser(undefined, office.headers);
    const link = await startLogin(client);
    const back = await browser.logInUntilCallback(link, 'late');
    // The exemption needs the cookie of the login, and a `state` that has not been used.
    expect((await send(back, office)).status).toBe(429);
    const end = await browser.request(back);
    expect(end.status).toBe(303);
    const codePage = await browser.request(new URL(end.headers.location ?? '', back));
    expect(codePage.status).toBe(200);
    expect((await browser.request(back)).status).toBe(429);
  });

  it('gets the pages of one login 60 times per minute, and those of other logins independently [security 41]', async () => {
    const office = from('203.0.113.23');
    const [one, other] = await Promise.all([connect2025(notes.mcp, office), connect2025(notes.mcp, office)]);
    const link = await startLogin(one);
    const answers = await Promise.all(Array.from({ length: 61 }, () => send(link, office)));
    expect(statusesOf(answers)).toEqual({ 200: 60, 429: 1 });
    expect((await send(await startLogin(other), office)).status).toBe(200);
  });
});

describe('a local client', () => {
  it('has no limit of sessions, logins or pages', async () => {
    expect(statusesOf(await initializeOften(210, () => ({})))).toEqual({ 200: 210 });
    const logins = await Promise.all(Array.from({ length: 70 }, () => client2026(notes.mcp).call('login')));
    expect(logins.every(({ structured }) => structured.status === 'pending')).toBe(true);
    const url = new URL('/login/done', notes.mcp);
    expect(statusesOf(await Promise.all(Array.from({ length: 310 }, () => send(url))))).toEqual({ 200: 310 });
  });
});

describe('an address that guesses access tokens', () => {
  it('gets 401 up to the limit, then 429, without effect on other addresses [security 41]', async () => {
    const issuer = 'http://127.0.0.1:9';
    const sessions = createSessions({
      server: { name: 'guarded', version: '1.0.0' },
      providers: { issuer, clientId: 'test' },
      access: { issuer },
      limits: { refusedTokensPerMinute: 60 },
      trustedProxies: ['127.0.0.1'],
      runtime: { clock },
      tools: () => undefined,
    });
    onTestFinished(() => sessions.close());
    const { url } = await sessions.listen({ port: 0 });
    let guesses = 0;
    const guess = (address: string) =>
      initialize(url, { headers: { ...from(address).headers, authorization: `Bearer guess-${guesses++}` } });
    for (let tries = 0; tries < 60; tries++) expect((await guess('203.0.113.30')).status).toBe(401);
    const refused = await guess('203.0.113.30');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused.headers).not.toHaveProperty('www-authenticate');
    expect(messageOf(refused).error?.message).toMatch(/Try again in/);
    expect((await guess('203.0.113.31')).status).toBe(401);
    clock.advance(MINUTE_MS);
    expect((await guess('203.0.113.30')).status).toBe(401);
  });
});
