import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Browser } from '../support/browser.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { createLatch } from '../support/latch.js';
import { type RegisteredClient, registerMcpClient } from '../support/mcp-tokens.js';
import { client2026, connect2025, initialize, logIn, type RawWay } from '../support/raw-mcp.js';
import { Wire2025 } from './wire-stream.js';

const bearer = (token: string): RawWay => ({ headers: { authorization: `Bearer ${token}` } });
const stateOf = async (client: {
  call: (tool: string) => Promise<{ structured: Record<string, unknown> }>;
}) => (await client.call('session_status')).structured.state;

let notes: InProcessNotes;
let client: RegisteredClient;
const start = async (sessionPerConnection: boolean) => {
  notes = await startInProcessNotes({ access: ({ issuer }) => ({ issuer, sessionPerConnection }) });
  client = await registerMcpClient(notes.provider.issuer, notes.mcp);
};

describe('two devices with the same client id', () => {
  beforeAll(() => start(false));
  afterAll(() => notes.close());

  it('share a login and its sign-out', async () => {
    const [laptop, phone] = [
      await connect2025(notes.mcp, bearer(await client.tokenFor('alice'))),
      await connect2025(notes.mcp, bearer(await client.tokenFor('alice'))),
    ];
    await logIn(laptop, new Browser(), 'alice');
    expect((await phone.call('whoami')).structured).toMatchObject({ subject: 'alice' });
    await phone.call('logout');
    expect(await stateOf(laptop)).not.toBe('authenticated');
  });
});

describe('two devices with one session for each connection', () => {
  beforeAll(() => start(true));
  afterAll(() => notes.close());

  it('log in and out independently, and keep their session with a new token', async () => {
    const [laptop, phone] = [
      await connect2025(notes.mcp, bearer(await client.tokenFor('alice'))),
      await connect2025(notes.mcp, bearer(await client.tokenFor('alice'))),
    ];
    onTestFinished(() => void Promise.all([laptop.end(), phone.end()]));
    await logIn(laptop, new Browser(), 'alice');
    expect(await stateOf(phone)).not.toBe('authenticated');
    await logIn(phone, new Browser(), 'alice');
    await phone.call('logout');
    expect(await stateOf(phone)).not.toBe('authenticated');
    expect(await stateOf(laptop)).toBe('authenticated');
    const modern = client2026(notes.mcp, undefined, bearer(await client.tokenFor('alice')));
    expect(await stateOf(modern)).not.toBe('authenticated');
  });

  it('log out of all sessions with `everywhere`', async () => {
    const way = bearer(await client.tokenFor('bob'));
    const [laptop, phone] = [await connect2025(notes.mcp, way), await connect2025(notes.mcp, way)];
    for (const device of [laptop, phone]) await logIn(device, new Browser(), 'bob');
    await phone.call('logout', { everywhere: true });
    expect(await stateOf(laptop)).not.toBe('authenticated');
  });

  it('have their tokens revoked when their connection ends', async () => {
    const device = await connect2025(notes.mcp, bearer(await client.tokenFor('carol')));
    await logIn(device, new Browser(), 'carol');
    const revoked = notes.next(({ type }) => type === 'account.revoked');
    expect((await device.end()).status).toBeLessThan(300);
    expect(await revoked).toMatchObject({ revocation: 'confirmed' });
  });
});

describe('a user with the limit of two connections for each client', () => {
  it('loses the longest idle connection when a third one opens [security 39]', async () => {
    const limited = await startInProcessNotes({
      access: ({ issuer }) => ({ issuer }),
      limits: { connectionsPerUser: 2 },
    });
    onTestFinished(() => limited.close());
    const { tokenFor } = await registerMcpClient(limited.provider.issuer, limited.mcp);
    const way = bearer(await tokenFor('dora'));
    const [first, second] = [await connect2025(limited.mcp, way), await connect2025(limited.mcp, way)];
    await connect2025(limited.mcp, way);
    expect((await first.end()).status).toBe(404);
    expect((await second.end()).status).toBe(200);
  });

  it('keeps connections with a call in flight or an open stream, and the third one is refused [security 36, 39]', async () => {
    const [began, released] = [createLatch(), createLatch()];
    const limited = await startInProcessNotes({
      access: ({ issuer }) => ({ issuer }),
      limits: { connectionsPerUser: 2 },
      tools: (server) => {
        server.registerTool('hold', { description: 'Waits for release.' }, async () => {
          began.open();
          await released.opened;
          return { content: [{ type: 'text', text: 'released' }] };
        });
      },
    });
    onTestFinished(() => limited.close());
    const { tokenFor } = await registerMcpClient(limited.provider.issuer, limited.mcp);
    const way = bearer(await tokenFor('erin'));
    const [calling, listening] = [await connect2025(limited.mcp, way), await connect2025(limited.mcp, way)];
    const call = calling.call('hold');
    await began.opened;
    const stream = await new Wire2025(listening.secret, way).listen(limited.mcp);
    const { status, headers, text } = await initialize(limited.mcp, way);
    expect([status, headers['retry-after']]).toEqual([429, '60']);
    expect(text).toContain('You have 2 connections');
    released.open();
    expect(await call).toMatchObject({ text: 'released' });
    // The connection is idle now, so that it can be evicted.
    await connect2025(limited.mcp, way);
    expect((await calling.end()).status).toBe(404);
    stream.drop();
  });

  it('gets an error for the calls of an evicted connection [security 39]', async () => {
    const began = createLatch();
    const held = await startInProcessNotes({
      tools: (server) => {
        server.registerTool('hold', { description: 'Waits for ever.' }, async () => {
          began.open();
          return new Promise<never>(() => undefined);
        });
      },
    });
    onTestFinished(() => held.close());
    const client = await connect2025(held.mcp);
    const call = client.call('hold').catch((error: unknown) => error);
    await began.opened;
    await client.end();
    expect(await call).toMatchObject({ message: expect.stringMatching(/connection ended .* Reconnect/) });
  });
});
