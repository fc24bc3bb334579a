import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  SESSION_META_KEY,
  type Sessions,
  type SessionsOptions,
  STATUS_URI,
} from '../../../packages/sessions/src/index.js';
import { composeServer } from '../../../packages/sessions/src/server/create-sessions.js';
import { createMapPorts } from '../../../packages/sessions/src/store/ports.js';
import { logIn } from '../../../packages/sessions/src/testing/index.js';
import { inMemory2025, inMemory2026 } from '../../support/in-memory-client.js';
import { isInstalled } from '../../support/installed-program.js';
import { Journal } from '../../support/journal.js';
import { createLatch } from '../../support/latch.js';
import { request2026 } from '../../support/raw-mcp.js';
import { REDIS, type RedisServer, startRedis } from '../../support/redis-server.js';
import { ISSUER, startTokenIssuer, withToken } from '../../support/token-issuer.js';
import { named } from '../../support/transcribed-server.js';
import { readyOf, registerWhoami, startCluster } from './cluster-nodes.js';

const MCP = 'http://127.0.0.1:3000/mcp';
let redis: RedisServer;

/** Three nodes with a tool that runs until its signal aborts, and the lines of their logs. */
async function setUp(options: Partial<SessionsOptions> = {}, fetch?: typeof globalThis.fetch) {
  const began = createLatch();
  const lines: Record<string, unknown>[] = [];
  const write = (line: object, message?: string) => void lines.push({ ...line, message });
  const tools: SessionsOptions['tools'] = (server, context) => {
    registerWhoami(server, context);
    server.registerTool(
      'hold',
      { description: 'Runs until it is aborted.' },
      context.requireLogin(async ({ mcpReq: { signal } }) => {
        const aborted = new Promise<string>((resolve) => {
          signal.addEventListener('abort', () => resolve(String((signal.reason as { code?: string }).code)));
        });
        began.open();
        return { content: [{ type: 'text' as const, text: `aborted: ${await aborted}` }] };
      }),
    );
  };
  const logger = { debug: write, info: write, warn: write, error: write };
  const cluster = await startCluster(redis, { tools, logger, ...options }, fetch);
  const logInAs = async (user: string, server: Pick<Sessions, 'handleRequest'> = cluster.balancer) => {
    const client = inMemory2026(server);
    const started = (await client.call('login', {})).structured;
    const { code } = await logIn(cluster.balancer, started.loginUrl, { provider: cluster.provider, user });
    return named((await client.call('login', { ...named(started), code })).structured);
  };
  return { ...cluster, began, lines, logInAs };
}

/** What a client receives that listens to a resource. @param session none: that of no session */
async function listen(
  server: Pick<Sessions, 'handleRequest'>,
  session: { session?: unknown } = {},
  uri: string = STATUS_URI,
) {
  const params = { notifications: { resourceSubscriptions: [uri] } };
  const { headers, body } = request2026('subscriptions/listen', params, {
    meta: { [SESSION_META_KEY]: session.session },
  });
  const request = new Request(MCP, { method: 'POST', headers: { ...headers }, body: body ?? '' });
  return read(await server.handleRequest(request));
}

function read(response: Response) {
  const received = new Journal<string>();
  const readAll = async () => {
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) received.add(text);
  };
  return { received, ended: readAll() };
}

const isUpdate = (text: string) => text.includes('notifications/resources/updated');

beforeAll(async () => {
  if (isInstalled(REDIS)) redis = await startRedis();
});
afterAll(() => redis?.stop());

describe.skipIf(!isInstalled(REDIS))('the change of a resource at one node', () => {
  const NOTE = 'notes://mine';
  const isAcknowledged = (text: string) => text.includes('notifications/subscriptions/acknowledged');
  const tools: SessionsOptions['tools'] = (server, context) => {
    server.registerTool('touch', { description: 'Changes the notes of the user.' }, async () => {
      await context.session().resourceUpdated(NOTE);
      return { content: [] };
    });
  };

  it('reaches the clients of its session at all nodes, and no others [security 8, 58]', async () => {
    const { nodes, logInAs } = await setUp({ tools });
    const [alice, bob] = [await logInAs('alice'), await logInAs('bob')];
    const listenAt = (session: Record<string, unknown>) =>
      Promise.all(nodes.map((node) => listen(node, session, NOTE)));
    const [ofAlice, ofBob] = [await listenAt(alice), await listenAt(bob)];
    for (const { received } of [...ofAlice, ...ofBob]) await received.first('the stream', isAcknowledged);
    await inMemory2026(nodes[0]).call('touch', alice);
    for (const { received } of ofAlice) await received.first('the update', isUpdate);
    await inMemory2026(nodes[1]).call('touch', bob);
    for (const { received } of ofBob) await received.first('the update', isUpdate);
    // What was sent to the wrong client would have come before.
    for (const { received } of [...ofAlice, ...ofBob])
      expect(received.entries.filter(isUpdate)).toEqual([expect.stringContaining(NOTE)]);
  });

  it('reaches the subscribers of all users at all nodes, of both revisions', async () => {
    const issuer = startTokenIssuer();
    const { nodes } = await setUp({ tools, access: { issuer: ISSUER } }, issuer.fetch);
    const client = await inMemory2025(withToken(nodes[1], issuer.tokenOf('alice')));
    await client.request('resources/subscribe', { uri: NOTE });
    const older = read(await client.listen());
    const newer = await listen(withToken(nodes[2], issuer.tokenOf('bob')), {}, NOTE);
    await newer.received.first('the stream', isAcknowledged);
    nodes[0].resourceUpdatedForAll(NOTE);
    for (const { received } of [older, newer])
      expect(await received.first('the update', isUpdate)).toContain(NOTE);
  });
});

describe.skipIf(!isInstalled(REDIS))('a change of a session at one node', () => {
  it('aborts the calls that run at another one when the user logs out [security 53]', async () => {
    const { nodes, began, logInAs } = await setUp();
    const session = await logInAs('alice');
    const holding = inMemory2026(nodes[1]).call('hold', session);
    await began.opened;
    await inMemory2026(nodes[0]).call('logout', session);
    expect((await holding).text).toBe('aborted: signed_out');
  });

  it('leaves the calls of other sessions alone [security 8]', async () => {
    const { nodes, began, logInAs } = await setUp();
    const [alice, bob] = [await logInAs('alice'), await logInAs('bob')];
    const holding = inMemory2026(nodes[1]).call('hold', alice);
    await began.opened;
    await inMemory2026(nodes[0]).call('logout', bob);
    const first = await Promise.race([
      holding.then(() => 'aborted'),
      inMemory2026(nodes[1]).call('session_status', alice),
    ]);
    expect(first).toMatchObject({ structured: { state: 'authenticated' } });
    await nodes[2].signOut({ subject: 'alice' });
    expect((await holding).text).toBe('aborted: signed_out');
  });

  it('reaches the clients that listen at other ones, whose streams end with the session', async () => {
    const { nodes, rejectLatest, logInAs } = await setUp();
    const session = await logInAs('alice');
    const streams = await Promise.all(nodes.map((node) => listen(node, session)));
    const client = inMemory2026(nodes[0]);
    expect((await client.call('whoami', session)).text).toBe('200 alice');
    rejectLatest();
    expect((await client.call('whoami', session)).text).toBe('200 alice');
    for (const { received } of streams) await received.first('the refresh of the token', isUpdate);
    await inMemory2026(nodes[1]).call('logout', session);
    await Promise.all(streams.map(({ ended }) => ended));
    for (const { received } of streams)
      expect(received.entries.join('')).toContain('"resultType":"complete"');
  });

  it('is one event, in the log of that node, which names it [security 49]', async () => {
    const { nodes, lines, logInAs } = await setUp();
    const heard: string[] = [];
    for (const [at, node] of nodes.entries())
      node.onEvent(({ type }) => {
        if (type === 'session.ended') heard.push(`${type} at ${at}`);
      });
    const session = await logInAs('alice');
    const streams = await Promise.all(nodes.map((node) => listen(node, session)));
    heard.length = 0;
    lines.length = 0;
    await inMemory2026(nodes[2]).call('logout', session);
    await Promise.all(streams.map(({ ended }) => ended));
    expect(heard).toEqual(['session.ended at 2']);
    expect(lines.filter(({ event }) => event === 'session.ended')).toEqual([
      expect.objectContaining({ reason: 'logout', node: expect.stringMatching(/^.+:\d+$/) }),
    ]);
  });

  it('is told to the 2025 connections of the same user [security 8]', async () => {
    const issuer = startTokenIssuer();
    const { nodes, logInAs } = await setUp({ access: { issuer: ISSUER } }, issuer.fetch);
    const ofAlice = (node: Sessions) => withToken(node, issuer.tokenOf('alice'));
    const client = await inMemory2025(ofAlice(nodes[0]));
    await client.request('resources/subscribe', { uri: STATUS_URI });
    const { received } = read(await client.listen());
    await logInAs('alice', ofAlice(nodes[1]));
    await received.first('the login', isUpdate);
    expect((await client.call('session_status')).structured).toMatchObject({ state: 'authenticated' });
  });

  it('leaves nothing at another one of the state that a tool has kept there', async () => {
    const made = await setUp({
      tools: (server, context) => {
        server.registerTool('keep', { description: 'Keeps something.' }, async () => {
          await context.session().state.set('kept');
          return { content: [{ type: 'text', text: 'kept' }] };
        });
      },
    });
    const { sessions, parts } = composeServer(createMapPorts, made.nodeOptions());
    onTestFinished(() => sessions.close());
    await expect.poll(() => readyOf(sessions)).toBe(200);
    const session = await made.logInAs('alice');
    expect((await inMemory2026(sessions).call('keep', session)).text).toBe('kept');
    expect(parts.states.bytes).toBe(6);
    await inMemory2026(made.nodes[1]).call('logout', session);
    await expect.poll(() => parts.states.bytes).toBe(0);
    expect(parts.registry.localSize).toBe(0);
  });

  it('leaves nothing at another one of a 2025 connection that it has ended', async () => {
    const issuer = startTokenIssuer();
    const made = await setUp({ access: { issuer: ISSUER }, limits: { connectionsPerUser: 1 } }, issuer.fetch);
    const { sessions, parts } = composeServer(createMapPorts, made.nodeOptions());
    onTestFinished(() => sessions.close());
    await expect.poll(() => readyOf(sessions)).toBe(200);
    const token = issuer.tokenOf('alice');
    const client = await inMemory2025(withToken(sessions, token));
    await client.call('session_status');
    expect(parts.registry.localSize).toBe(2);
    await inMemory2025(withToken(made.nodes[1], token));
    await expect.poll(() => parts.registry.localSize).toBe(0);
    await expect(client.call('session_status')).rejects.toThrow('Session not found');
  });

  it('finds no 2025 connection there, which the log of that node explains once', async () => {
    const { nodes, lines } = await setUp();
    const client = await inMemory2025({
      // The balancer sends `initialize` to one node and everything else to another one.
      handleRequest: (request) => nodes[request.headers.has('mcp-session-id') ? 1 : 0].handleRequest(request),
    });
    for (let call = 0; call < 2; call++)
      await expect(client.call('session_status')).rejects.toThrow(
        '-32001: Session not found: another server has it, or had it before a restart.',
      );
    const warnings = lines.filter(({ message }) => String(message).includes('load balancer'));
    expect(warnings).toHaveLength(1);
  });
});
