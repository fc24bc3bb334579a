import { describe, expect, it, onTestFinished } from 'vitest';
import { Browser } from '../support/browser.js';
import { startClientProcess } from '../support/client-process.js';
import { type Deployment, startDeployment } from '../support/deployment.js';
import { eventually } from '../support/journal.js';
import { connect, type McpClient } from '../support/mcp-clients.js';
import { client2026, connect2025, logIn, type RawClient, send, type ToolAnswer } from '../support/raw-mcp.js';

/** Short enough to wait for, long enough that a login on a busy machine fits in. */
const IDLE = ['--idle-seconds', '3'];
const ABSOLUTE = ['--absolute-seconds', '3'];
const GRACE = ['--grace-seconds', '2'];

async function deploy(flags: readonly string[]): Promise<Deployment> {
  const deployment = await startDeployment({ flags });
  onTestFinished(() => deployment.stop());
  return deployment;
}

type Reason = 'idle' | 'absolute' | 'disconnect' | 'deleted';

/** Waits until that many sessions were signed out, or ended, for that reason. */
async function heard({ server }: Deployment, event: string, reason: Reason, count = 1): Promise<void> {
  await server.audit.until(`${count} times ${event} (${reason})`, (entries) => {
    const fitting = entries.filter((entry) => entry.event === event && entry.reason === reason);
    return fitting.length >= count || undefined;
  });
}

/** Waits until the provider has confirmed so many revocations, then asks it what still lives. */
async function activeTokensAfter(revocations: number, { provider, server }: Deployment): Promise<string[]> {
  await server.audit.until(`${revocations} revocations`, (entries) => {
    const confirmed = entries.filter(({ revocation }) => revocation === 'confirmed');
    return confirmed.length >= revocations || undefined;
  });
  return provider.activeTokens();
}

/** What a session that was signed out in its absence says and can do. */
async function expectSignedOut(client: RawClient | McpClient, reason: Reason): Promise<void> {
  const { structured } = await client.call('session_status');
  expect(structured).toMatchObject({ state: 'anonymous', signedOut: reason, accounts: [] });
  expect(await client.call('whoami')).toMatchObject({
    isError: true,
    text: expect.stringMatching(/call .*`login`/i),
  });
}

/** Idle does not run while a client is present, so that its status does not say when it would be over. */
const isPresent = ({ structured }: Pick<ToolAnswer, 'structured'>) =>
  structured.idleExpiresInSeconds === undefined;

/** Waits until the server knows of the stream that a real client opens by itself. */
async function presenceOf(status: () => Promise<Pick<ToolAnswer, 'structured'>>): Promise<void> {
  await eventually('the stream to be open', async () => isPresent(await status()) || undefined);
}

/** A 2025 stream of our own, which can be dropped at will. */
async function openStream(mcp: string, sessionId: string, accepted = [200]) {
  const dropped = new AbortController();
  const headers = { accept: 'text/event-stream', 'mcp-session-id': sessionId };
  const response = await fetch(mcp, { headers, signal: dropped.signal });
  expect(accepted).toContain(response.status);
  return { status: response.status, drop: () => dropped.abort(), ended: () => response.text() };
}

/** Opens it again, as soon as the server has noticed that the last one is gone. */
function reopenStream(mcp: string, sessionId: string) {
  return eventually('the stream to be accepted', async () => {
    const stream = await openStream(mcp, sessionId, [200, 409]);
    return stream.status === 200 ? stream : undefined;
  });
}

describe('the idle timeout', () => {
  it('[security 34] wipes and revokes a 2025 login; its session goes on, says why, and can log in again', async () => {
    const deployment = await deploy(IDLE);
    const client = await logIn(await connect2025(deployment.mcp), new Browser(), 'alice');
    expect(await deployment.provider.activeTokens()).toHaveLength(2);
    await heard(deployment, 'session.signed_out', 'idle');
    expect(await activeTokensAfter(1, deployment)).toEqual([]);
    await expectSignedOut(client, 'idle');
    await logIn(client, new Browser(), 'alice');
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
  });

  it('[security 34] wipes and revokes a 2026 login, and its handle is unknown from then on', async () => {
    const deployment = await deploy(IDLE);
    const client = await connect('SDK 2.x pinned to 2026', deployment.mcp);
    await client.logIn('alice');
    const ended = client.handle;
    await heard(deployment, 'session.ended', 'idle');
    expect(await activeTokensAfter(1, deployment)).toEqual([]);
    await expectHandleEnded(client, /not used for too long/);
    client.handle = undefined;
    await client.logIn('alice');
    expect(client.handle).not.toBe(ended);
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
    await client.close();
  });

  it('[security 36] spares the client whose stream is open, and takes the one that has none', async () => {
    const deployment = await deploy(IDLE);
    const present = await connect('SDK 1.x', deployment.mcp);
    await present.logIn('alice');
    await presenceOf(() => present.call('session_status'));
    // Heard from later than the present one, so its time is up later.
    await logIn(await connect2025(deployment.mcp), new Browser(), 'bob');
    await heard(deployment, 'session.signed_out', 'idle');
    expect((await present.call('whoami')).structured).toMatchObject({ subject: 'alice' });
    await present.close();
  });
});

describe('the absolute timeout', () => {
  it('[security 34] ends the logins of both eras, however busy and present their clients are', async () => {
    const deployment = await deploy(ABSOLUTE);
    const [old, modern] = await Promise.all([
      connect('SDK 2.x in 2025', deployment.mcp),
      connect('SDK 2.x auto', deployment.mcp),
    ]);
    await Promise.all([old.logIn('alice'), modern.logIn('bob')]);
    for (const client of [old, modern]) {
      await eventually(
        'a call to be refused',
        async () => (await client.call('whoami')).isError || undefined,
      );
    }
    await heard(deployment, 'session.signed_out', 'absolute');
    await heard(deployment, 'session.ended', 'absolute');
    expect(await activeTokensAfter(2, deployment)).toEqual([]);
    await expectSignedOut(old, 'absolute');
    await expectHandleEnded(modern, /longest lifetime/);
    await old.logIn('alice');
    expect((await old.call('whoami')).structured).toMatchObject({ subject: 'alice' });
    await Promise.all([old.close(), modern.close()]);
  });
});

describe('the grace after a disconnect', () => {
  it('[security 34, 36] wipes and revokes the login of a 2025 client that was killed', async () => {
    const deployment = await deploy(GRACE);
    const client = await startClientProcess(deployment.mcp);
    const { loginUrl } = await client.call('login');
    await new Browser().logIn(String(loginUrl), 'alice');
    expect(await client.call('login')).toMatchObject({ status: 'authenticated' });
    await presenceOf(async () => ({ structured: await client.call('session_status') }));
    expect(await deployment.provider.activeTokens()).toHaveLength(2);
    await client.kill();
    await heard(deployment, 'session.signed_out', 'disconnect');
    expect(await activeTokensAfter(1, deployment)).toEqual([]);
  });

  it('[security 34, 36] spares clients that come back in time, by stream or by call, and takes one that does not', async () => {
    const deployment = await deploy(GRACE);
    const { mcp } = deployment;
    const logInAs = async (user: string) => logIn(await connect2025(mcp), new Browser(), user);
    const byStream = await logInAs('alice');
    const byCall = await logInAs('bob');
    const late = await logInAs('carol');

    (await openStream(mcp, byStream.secret)).drop();
    const stream = await reopenStream(mcp, byStream.secret);
    (await openStream(mcp, byCall.secret)).drop();
    await eventually('the disconnect to be noticed', async () => {
      return !isPresent(await byCall.call('session_status')) || undefined;
    });
    await byCall.call('whoami');

    // The last to go: when its time is up, so is that of the others.
    (await openStream(mcp, late.secret)).drop();
    await heard(deployment, 'session.signed_out', 'disconnect');
    await expectSignedOut(late, 'disconnect');
    expect((await byStream.call('whoami')).structured).toMatchObject({ subject: 'alice' });
    expect((await byCall.call('whoami')).structured).toMatchObject({ subject: 'bob' });
    expect(await activeTokensAfter(1, deployment)).toHaveLength(4);
    stream.drop();
  });

  it('[security 35] of zero seconds wipes at once', async () => {
    const deployment = await deploy(['--grace-seconds', '0']);
    const client = await connect('SDK 1.x', deployment.mcp);
    await client.logIn('alice');
    await presenceOf(() => client.call('session_status'));
    await client.close();
    await heard(deployment, 'session.signed_out', 'disconnect');
    expect(await activeTokensAfter(1, deployment)).toEqual([]);
  });

  it('[security 56] is none of a 2026 client’s: its login stays when it goes, for whoever has the handle', async () => {
    const deployment = await deploy(['--grace-seconds', '0']);
    const { mcp } = deployment;
    const stateless = await connect('SDK 2.x pinned to 2026', mcp);
    await stateless.logIn('alice');
    await stateless.call('whoami');
    await stateless.close();
    const streaming = await connect('SDK 2.x in 2025', mcp);
    await streaming.logIn('bob');
    await presenceOf(() => streaming.call('session_status'));
    await streaming.close();
    await heard(deployment, 'session.signed_out', 'disconnect');
    const back = await connect('SDK 2.x pinned to 2026', mcp);
    back.handle = stateless.handle;
    expect((await back.call('whoami')).structured).toMatchObject({ subject: 'alice' });
    await back.close();
  });
});

describe('the standalone stream', () => {
  it('[security 10] ends with its session', async () => {
    const { mcp } = await deploy([]);
    const client = await logIn(await connect2025(mcp), new Browser(), 'alice');
    const stream = await openStream(mcp, client.secret);
    expect(isPresent(await client.call('session_status'))).toBe(true);
    const ended = stream.ended();
    expect((await client.end()).status).toBe(200);
    await ended;
  });
});

describe('DELETE', () => {
  it('[security 6, 34] revokes the login, and makes the id unknown to every request', async () => {
    const deployment = await deploy([]);
    const { mcp } = deployment;
    const client = await logIn(await connect2025(mcp), new Browser(), 'alice');
    const other = await logIn(await connect2025(mcp), new Browser(), 'bob');
    expect((await client.end()).status).toBe(200);
    await heard(deployment, 'session.ended', 'deleted');
    const active = await activeTokensAfter(1, deployment);
    const subjects = await Promise.all(
      active.map(async (token) => (await deployment.provider.introspect(token)).sub),
    );
    expect(subjects).toEqual(['bob', 'bob']);
    const headers = { accept: 'text/event-stream', 'mcp-session-id': client.secret };
    expect((await send(mcp, { headers })).status).toBe(404);
    expect((await client.end()).status).toBe(404);
    await expect(client.call('whoami')).rejects.toThrow('404');
    await expect(client.call('login')).rejects.toThrow('404');
    expect((await other.call('whoami')).structured).toMatchObject({ subject: 'bob' });
  });

  it.each(['SDK 1.x', 'SDK 2.x in 2025'] as const)(
    'is what %s sends to terminate its session',
    async (kind) => {
      const deployment = await deploy([]);
      const client = await connect(kind, deployment.mcp);
      await client.logIn('alice');
      await client.terminate();
      await heard(deployment, 'session.ended', 'deleted');
      expect(await activeTokensAfter(1, deployment)).toEqual([]);
      await client.close();
    },
  );

  it('[security 54] does not end a 2026 session', async () => {
    const deployment = await deploy([]);
    const client = await logIn(client2026(deployment.mcp), new Browser(), 'alice');
    const answer = await send(deployment.mcp, {
      method: 'DELETE',
      headers: { accept: 'application/json', 'mcp-session-id': client.secret },
    });
    expect(answer.status).toBe(404);
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
  });
});

/** What the handle of an ended session is answered, by every tool. */
async function expectHandleEnded(client: McpClient, why: RegExp): Promise<void> {
  for (const tool of ['whoami', 'session_status', 'login', 'logout']) {
    const { isError, text } = await client.call(tool);
    expect({ tool, isError }).toEqual({ tool, isError: true });
    expect(text).toMatch(why);
  }
}
