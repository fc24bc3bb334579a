import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessions, type Lifetimes } from '../../packages/sessions/src/index.js';
import { FaultingProvider, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { Browser } from '../support/browser.js';
import { inMemory2025 } from '../support/in-memory-client.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { connect } from '../support/mcp-clients.js';
import { connect2025 } from '../support/raw-mcp.js';
import { clientIn, codeOf, ERAS, failureOf, newUser, successOf } from './device-flow-setup.js';

let notes: InProcessNotes;
const MINUTE_MS = 60_000;

async function livingTokens(username: string) {
  return (await notes.provider.livingTokens()).filter(({ user }) => user === username);
}

const polls = () =>
  notes.provider.exchanges.filter(({ form }) => form.get('grant_type')?.endsWith(':device_code')).length;

it.each(['SDK 1.x', 'SDK 2.x pinned to 2026'] as const)(
  'a client gets a code if the device flow is the only login (%s)',
  async (kind) => {
    notes = await startInProcessNotes({ deviceFlow: 'only' });
    const user = newUser();
    const client = await connect(kind, notes.mcp);
    const { structured } = await client.call('login');
    expect(structured).toMatchObject({ status: 'pending', userCode: expect.stringMatching(/^.{4}-.{4}$/) });
    expect(structured.next).toMatch(/userCode/);
    const page = await new Browser().approve(String(structured.loginUrl), String(structured.userCode), user);
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('You are signed in') });
    // The user confirms before the next poll, so that the call waits for the poll.
    expect((await client.call('login')).structured).toMatchObject({
      status: 'authenticated',
      account: { subject: user },
    });
    expect((await client.call('whoami')).structured).toMatchObject({ subject: user });
    await client.close();
    await notes.close();
  },
);

it('a pending login ends when its code expires, and the next one has a new code', async () => {
  const clock = new VirtualClock();
  notes = await startInProcessNotes({ deviceFlow: 'only', runtime: { clock } });
  const client = await connect2025(notes.mcp);
  const over = failureOf(notes, 'expired');
  const first = await codeOf(client);
  await clock.advance(10 * MINUTE_MS);
  await over;
  const asked = polls();
  expect((await client.call('session_status')).structured).toMatchObject({ state: 'anonymous' });
  expect(await codeOf(client)).not.toEqual(first);
  expect(polls()).toBe(asked);
  await notes.close();
});

describe.each(ERAS)('with the device flow as an alternative (%s)', (era) => {
  beforeAll(async () => {
    notes = await startInProcessNotes({ deviceFlow: 'allowed' });
  });
  afterAll(() => notes.close());

  it('a login uses a link, unless the model asks for a code', async () => {
    const client = await clientIn(era, notes.mcp);
    const { structured } = await client.call('login');
    expect(structured).toMatchObject({ loginUrl: expect.stringContaining('/connect/') });
    expect(structured).not.toHaveProperty('userCode');
  });

  it('a login can change from a link to a code and back [security 15]', async () => {
    const user = newUser();
    const client = await clientIn(era, notes.mcp);
    const { structured } = await client.call('login');
    const { loginUrl, userCode } = await codeOf(client, { flow: 'device' });
    expect((await new Browser().open(String(structured.loginUrl))).text).toContain('Login replaced');
    // A call without `device` or `link` continues the pending login.
    expect(await codeOf(client)).toEqual({ loginUrl, userCode });
    const again = await client.call('login', { flow: 'link' });
    const authenticated = successOf(notes);
    await new Browser().logIn(String(again.structured.loginUrl), user);
    await authenticated;
    expect((await client.call('login')).structured).toMatchObject({ account: { subject: user } });
  });

  it('tokens that arrive after the login was replaced are revoked [security 15, 22]', async () => {
    const user = newUser();
    const client = await clientIn(era, notes.mcp);
    const { loginUrl, userCode } = await codeOf(client, { flow: 'device' });
    const hold = notes.provider.holdNext('/token', 200);
    await new Browser().approve(loginUrl, userCode, user);
    await hold.isHeld;
    const over = failureOf(notes, era === '2025' ? 'signed_out' : 'superseded');
    const revoked = notes.next(({ type }) => type === 'account.revoked');
    // In 2026 another kind of login replaces the first one.
    if (era === '2025') await client.call('logout');
    else await client.call('login', { flow: 'link' });
    await over;
    hold.release();
    expect(await revoked).toMatchObject({ revocation: 'confirmed' });
    expect(await livingTokens(user)).toEqual([]);
    expect((await client.call('session_status')).structured.state).not.toBe('authenticated');
  });
});

describe('polling for a code', () => {
  async function begin(lifetimes: Partial<Lifetimes> = {}) {
    const clock = new VirtualClock();
    const provider = new FaultingProvider();
    const sessions = createSessions({
      server: { name: 'test', version: '1.0.0' },
      publicUrl: 'http://127.0.0.1:3000',
      providers: { ...provider.options, deviceFlow: 'allowed' },
      lifetimes: { shutdownDrainMs: 0, ...lifetimes },
      runtime: { fetch: provider.fetch, clock },
      tools: () => undefined,
    });
    const client = await inMemory2025(sessions);
    await client.call('login', { flow: 'device' });
    await clock.advance(7000);
    expect(provider.requests).toMatchObject({ device: 1, token: 1 });
    return { clock, provider, sessions, client };
  }
  type Begun = Awaited<ReturnType<typeof begin>>;

  const ends: readonly [string, (begun: Begun) => Promise<unknown>][] = [
    ['a logout', ({ client }) => client.call('logout')],
    ['a login by the other flow', ({ client }) => client.call('login', { flow: 'link' })],
    ['the end of the session', ({ client }) => client.end()],
    ['the shutdown of the server', ({ sessions }) => sessions.close()],
  ];
  it.each(ends)('stops with %s [security 15, 22, 34]', async (_end, end) => {
    const begun = await begin();
    const { clock, provider, sessions } = begun;
    await end(begun);
    provider.approve('CODE-1', 'alice');
    await clock.advance(60_000);
    expect(provider.requests.token).toBe(1);
    expect(provider.livingUsers()).toEqual([]);
    await sessions.close();
    await clock.advance(0);
    expect(clock.timers).toBe(0);
  });

  it('stops when the login expires, even if the code is valid longer [security 12]', async () => {
    const { clock, provider, sessions } = await begin({ loginAttemptMs: 12_000 });
    await clock.advance(60_000);
    expect(provider.requests.token).toBe(2);
    await sessions.close();
  });

  it('happens once for simultaneous calls', async () => {
    const { clock, provider, sessions, client } = await begin();
    await client.call('logout');
    const asked = Array.from({ length: 5 }, () => client.call('login', { flow: 'device' }));
    // The calls that did not start the login wait for the next poll.
    await clock.advance(9000);
    const answers = await Promise.all(asked);
    expect(new Set(answers.map(({ structured }) => structured.userCode)).size).toBe(1);
    expect(provider.requests.device).toBe(2);
    await sessions.close();
  });

  it('completes a waiting call as soon as the login is approved', async () => {
    const { clock, provider, sessions, client } = await begin();
    provider.approve('CODE-1', 'alice');
    const calling = client.call('login');
    await clock.advance(3000);
    expect((await calling).structured).toMatchObject({ status: 'authenticated' });
    await sessions.close();
  });
});

it('the device flow is disabled by default', async () => {
  notes = await startInProcessNotes();
  const client = await connect2025(notes.mcp);
  const { structured } = await client.call('login', { flow: 'device' });
  expect(structured).not.toHaveProperty('userCode');
  expect(structured).toMatchObject({ loginUrl: expect.stringContaining('/connect/') });
  await notes.close();
});
