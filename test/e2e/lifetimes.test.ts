import { describe, expect, it, onTestFinished } from 'vitest';
import type { Lifetimes, SessionEvent } from '../../packages/sessions/src/index.js';
import { VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { Browser } from '../support/browser.js';
import { startClientProcess } from '../support/client-process.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { connect, type McpClient } from '../support/mcp-clients.js';
import { client2026, connect2025, logIn, type RawClient, send, type ToolAnswer } from '../support/raw-mcp.js';

const SECOND_MS = 1000;
/** Shorter than the ping interval, because some clients of these tests do not answer pings. */
const SHORT_MS = 20 * SECOND_MS;

/** A server whose clock the test advances. */
async function start(lifetimes: Partial<Lifetimes> = {}) {
  const clock = new VirtualClock();
  const notes = await startInProcessNotes({ lifetimes, runtime: { clock } });
  onTestFinished(() => notes.close());
  return { clock, notes, mcp: notes.mcp };
}

type Reason = 'idle' | 'absolute' | 'disconnect' | 'deleted';
type End = 'session.signed_out' | 'session.ended';

const endsIn = ({ events }: InProcessNotes, type: End, reason: Reason): SessionEvent[] =>
  events.filter((event) => event.type === type && event.reason === reason);

/** Waits until a session is signed out, or ends, for that reason. */
async function untilEvent(notes: InProcessNotes, type: End, reason: Reason): Promise<void> {
  await expect.poll(() => endsIn(notes, type, reason)).toHaveLength(1);
}

/** Advances the clock until a session is signed out after a disconnect, which the server may detect later. */
async function untilDisconnected(clock: VirtualClock, notes: InProcessNotes): Promise<void> {
  await expect
    .poll(async () => {
      await clock.advance(SECOND_MS);
      return endsIn(notes, 'session.signed_out', 'disconnect').length;
    })
    .toBe(1);
}

/** The users of the valid tokens, after that many confirmed revocations. */
async function livingUsersAfter(
  revocations: number,
  { events, provider }: InProcessNotes,
): Promise<string[]> {
  const confirmed = () =>
    events.filter((event) => event.type === 'account.revoked' && event.revocation === 'confirmed');
  await expect.poll(confirmed).toHaveLength(revocations);
  return (await provider.livingTokens()).map(({ user }) => user);
}

/** Expects that a signed-out session reports the reason, and that its tools ask for a login. */
async function expectSignedOut(client: RawClient | McpClient, reason: Reason): Promise<void> {
  const { structured } = await client.call('session_status');
  expect(structured).toMatchObject({ state: 'anonymous', signedOut: reason, accounts: [] });
  expect(await client.call('whoami')).toMatchObject({
    isError: true,
    text: expect.stringMatching(/call .*`login`/i),
  });
}

/** The idle time does not run while a client is present, so that the status has no end of it. */
const isPresent = ({ structured }: Pick<ToolAnswer, 'structured'>) =>
  structured.idleExpiresInSeconds === undefined;

/** Waits until a real client has opened its standalone stream. */
async function presenceOf(status: () => Promise<Pick<ToolAnswer, 'structured'>>): Promise<void> {
  await expect.poll(async () => isPresent(await status())).toBe(true);
}

/** A 2025 stream that the test can drop. */
async function openStream(mcp: string, sessionId: string) {
  const dropped = new AbortController();
  const headers = { accept: 'text/event-stream', 'mcp-session-id': sessionId };
  const response = await fetch(mcp, { headers, signal: dropped.signal });
  return { status: response.status, drop: () => dropped.abort(), ended: () => response.text() };
}

/** Opens a stream and drops it, and waits until the server has noticed. */
async function comeAndGo(mcp: string, client: RawClient): Promise<void> {
  const stream = await openStream(mcp, client.secret);
  expect(stream.status).toBe(200);
  stream.drop();
  await expect.poll(async () => isPresent(await client.call('session_status'))).toBe(false);
}

describe('the idle timeout', () => {
  it('[security 34] wipes and revokes a 2025 login, and the session reports the reason and can log in again', async () => {
    const { clock, notes, mcp } = await start({ idleMs: SHORT_MS });
    const client = await logIn(await connect2025(mcp), new Browser(), 'alice');
    expect(await notes.provider.livingTokens()).toHaveLength(2);
    await clock.advance(SHORT_MS);
    await untilEvent(notes, 'session.signed_out', 'idle');
    expect(await livingUsersAfter(1, notes)).toEqual([]);
    await expectSignedOut(client, 'idle');
    await logIn(client, new Browser(), 'alice');
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
  });

  it('[security 34] wipes and revokes a 2026 login, and ends its handle', async () => {
    const { clock, notes, mcp } = await start({ idleMs: SHORT_MS });
    const client = await connect('SDK 2.x pinned to 2026', mcp);
    await client.logIn('alice');
    const ended = client.handle;
    await clock.advance(SHORT_MS);
    await untilEvent(notes, 'session.ended', 'idle');
    expect(await livingUsersAfter(1, notes)).toEqual([]);
    await expectHandleEnded(client, /not used for too long/);
    client.handle = undefined;
    await client.logIn('alice');
    expect(client.handle).not.toBe(ended);
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
    await client.close();
  });

  it('[security 36] does not sign out a client with an open stream', async () => {
    const { clock, notes, mcp } = await start({ idleMs: SHORT_MS });
    const present = await connect('SDK 1.x', mcp);
    await present.logIn('alice');
    await presenceOf(() => present.call('session_status'));
    await logIn(await connect2025(mcp), new Browser(), 'bob');
    await clock.advance(SHORT_MS);
    await untilEvent(notes, 'session.signed_out', 'idle');
    expect((await present.call('whoami')).structured).toMatchObject({ subject: 'alice' });
    await present.close();
  });
});

describe('the absolute timeout', () => {
  it('[security 34] ends the logins of active clients of both eras', async () => {
    const { clock, notes, mcp } = await start({ absoluteMs: SHORT_MS });
    const [old, modern] = await Promise.all([connect('SDK 2.x in 2025', mcp), connect('SDK 2.x auto', mcp)]);
    const users: [McpClient, string][] = [
      [old, 'alice'],
      [modern, 'bob'],
    ];
    for (const [client, user] of users) await client.logIn(user);
    for (let seconds = 1; seconds < SHORT_MS / SECOND_MS; seconds++) {
      await clock.advance(SECOND_MS);
      for (const [client, subject] of users) {
        expect((await client.call('whoami')).structured).toMatchObject({ subject });
      }
    }
    await clock.advance(SECOND_MS);
    await untilEvent(notes, 'session.signed_out', 'absolute');
    await untilEvent(notes, 'session.ended', 'absolute');
    expect(await livingUsersAfter(2, notes)).toEqual([]);
    await expectSignedOut(old, 'absolute');
    await expectHandleEnded(modern, /longest lifetime/);
    await old.logIn('alice');
    expect((await old.call('whoami')).structured).toMatchObject({ subject: 'alice' });
    await Promise.all([old.close(), modern.close()]);
  });
});

describe('the grace after a disconnect', () => {
  it('[security 34, 36] wipes and revokes the login of a killed 2025 client when it is over', async () => {
    const { clock, notes, mcp } = await start({ disconnectGraceMs: SHORT_MS });
    const client = await startClientProcess(mcp);
    const { loginUrl } = await client.call('login');
    await new Browser().logIn(String(loginUrl), 'alice');
    expect(await client.call('login')).toMatchObject({ status: 'authenticated' });
    await presenceOf(async () => ({ structured: await client.call('session_status') }));
    expect(await notes.provider.livingTokens()).toHaveLength(2);
    await client.kill();
    await untilDisconnected(clock, notes);
    expect(await livingUsersAfter(1, notes)).toEqual([]);
  });

  it('[security 34, 36] keeps the login of clients that return in time with a stream or a call', async () => {
    const { clock, notes, mcp } = await start({ disconnectGraceMs: SHORT_MS });
    const logInAs = async (user: string) => logIn(await connect2025(mcp), new Browser(), user);
    const byStream = await logInAs('alice');
    const byCall = await logInAs('bob');
    const late = await logInAs('carol');
    for (const client of [byStream, byCall]) await comeAndGo(mcp, client);
    await clock.advance(SECOND_MS);
    const stream = await openStream(mcp, byStream.secret);
    expect(stream.status).toBe(200);
    await byCall.call('whoami');

    // The last one to be signed out.
    (await openStream(mcp, late.secret)).drop();
    await untilDisconnected(clock, notes);
    await expectSignedOut(late, 'disconnect');
    expect((await byStream.call('whoami')).structured).toMatchObject({ subject: 'alice' });
    expect((await byCall.call('whoami')).structured).toMatchObject({ subject: 'bob' });
    expect((await livingUsersAfter(1, notes)).sort()).toEqual(['alice', 'alice', 'bob', 'bob']);
    stream.drop();
  });

  it('[security 35] of zero seconds wipes a login at once', async () => {
    const { notes, mcp } = await start({ disconnectGraceMs: 0 });
    const client = await connect('SDK 1.x', mcp);
    await client.logIn('alice');
    await presenceOf(() => client.call('session_status'));
    await client.close();
    await untilEvent(notes, 'session.signed_out', 'disconnect');
    expect(await livingUsersAfter(1, notes)).toEqual([]);
  });

  it('[security 56] does not apply to 2026 clients, whose handle stays valid', async () => {
    const { notes, mcp } = await start({ disconnectGraceMs: 0 });
    const stateless = await connect('SDK 2.x pinned to 2026', mcp);
    await stateless.logIn('alice');
    await stateless.call('whoami');
    await stateless.close();
    const streaming = await connect('SDK 2.x in 2025', mcp);
    await streaming.logIn('bob');
    await presenceOf(() => streaming.call('session_status'));
    await streaming.close();
    await untilEvent(notes, 'session.signed_out', 'disconnect');
    const back = await connect('SDK 2.x pinned to 2026', mcp);
    back.handle = stateless.handle;
    expect((await back.call('whoami')).structured).toMatchObject({ subject: 'alice' });
    await back.close();
  });
});

describe('the standalone stream', () => {
  it('[security 10] ends with its session', async () => {
    const { mcp } = await start();
    const client = await logIn(await connect2025(mcp), new Browser(), 'alice');
    const stream = await openStream(mcp, client.secret);
    expect(isPresent(await client.call('session_status'))).toBe(true);
    const ended = stream.ended();
    expect((await client.end()).status).toBe(200);
    await ended;
  });
});

describe('DELETE', () => {
  it('[security 6, 34] revokes the login and ends the session id', async () => {
    const { notes, mcp } = await start();
    const client = await logIn(await connect2025(mcp), new Browser(), 'alice');
    const other = await logIn(await connect2025(mcp), new Browser(), 'bob');
    expect((await client.end()).status).toBe(200);
    await untilEvent(notes, 'session.ended', 'deleted');
    expect(await livingUsersAfter(1, notes)).toEqual(['bob', 'bob']);
    const headers = { accept: 'text/event-stream', 'mcp-session-id': client.secret };
    expect((await send(mcp, { headers })).status).toBe(404);
    expect((await client.end()).status).toBe(404);
    await expect(client.call('whoami')).rejects.toThrow('404');
    await expect(client.call('login')).rejects.toThrow('404');
    expect((await other.call('whoami')).structured).toMatchObject({ subject: 'bob' });
  });

  it.each(['SDK 1.x', 'SDK 2.x in 2025'] as const)('is sent by %s to end its session', async (kind) => {
    const { notes, mcp } = await start();
    const client = await connect(kind, mcp);
    await client.logIn('alice');
    await client.terminate();
    await untilEvent(notes, 'session.ended', 'deleted');
    expect(await livingUsersAfter(1, notes)).toEqual([]);
    await client.close();
  });

  it('[security 54] does not end a 2026 session', async () => {
    const { mcp } = await start();
    const client = await logIn(client2026(mcp), new Browser(), 'alice');
    const answer = await send(mcp, {
      method: 'DELETE',
      headers: { accept: 'application/json', 'mcp-session-id': client.secret },
    });
    expect(answer.status).toBe(404);
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
  });
});

/** The response of every tool to the handle of an ended session. */
async function expectHandleEnded(client: McpClient, why: RegExp): Promise<void> {
  for (const tool of ['whoami', 'session_status', 'login', 'logout']) {
    const { isError, text } = await client.call(tool);
    expect({ tool, isError }).toEqual({ tool, isError: true });
    expect(text).toMatch(why);
  }
}
