import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createSessions } from '../../packages/sessions/src/index.js';
import { Browser } from '../support/browser.js';
import {
  type IdentityProviderProcess,
  startIdentityProviderProcess,
} from '../support/identity-provider-process.js';
import { connect } from '../support/mcp-clients.js';
import { call2025, connect2025, JSON_HEADERS, logIn, type RawRequest, send } from '../support/raw-mcp.js';
import { compileExamples, type ExampleProcess, pathOf, startExample } from './example-process.js';

/** Requests that the library answers in every framework. */
const REFUSED: readonly (readonly [string, string, RawRequest])[] = [
  [
    'an unknown session',
    '/mcp',
    {
      method: 'POST',
      headers: { ...JSON_HEADERS, 'mcp-session-id': 'A'.repeat(43) },
      body: call2025('whoami'),
    },
  ],
  ['a body that is no JSON', '/mcp', { method: 'POST', headers: JSON_HEADERS, body: '{' }],
  ['another content type', '/mcp', { method: 'POST', headers: { 'content-type': 'text/xml' }, body: '<a/>' }],
  ['a method it has not', '/mcp', { method: 'PUT', headers: JSON_HEADERS, body: '{}' }],
  ['another host name', '/mcp', { headers: { host: 'evil.example.com' } }],
  ['a page of another origin', '/mcp', { headers: { origin: 'https://evil.example.com' } }],
  ['a callback of no login', '/callback?state=x', {}],
];

let provider: IdentityProviderProcess;
/** The library with its own HTTP server. */
let plain: { readonly origin: string; close(): Promise<void> };

beforeAll(async () => {
  compileExamples();
  provider = await startIdentityProviderProcess();
  const sessions = createSessions({
    server: { name: 'notes', version: '1.0.0' },
    providers: { issuer: provider.issuer, clientId: 'mcp-sessions', scopes: ['openid'] },
    tools: () => {},
  });
  const { url } = await sessions.listen({ port: 0 });
  plain = { origin: new URL(url).origin, close: () => sessions.close() };
});
afterAll(async () => {
  await plain?.close();
  await provider?.stop();
});

describe.each(['node-http', 'express', 'fastify', 'hono'])('examples/%s.ts', (name) => {
  let example: ExampleProcess;
  beforeAll(async () => {
    example = await startExample(name, provider.serverEnvironment);
  });
  afterAll(() => example?.kill());

  it.each(['SDK 1.x', 'SDK 2.x pinned to 2026'] as const)(
    'serves a client of %s as its user, and its own routes',
    async (kind) => {
      const client = await connect(kind, example.mcp);
      await client.logIn('alice');
      const { text } = await client.call('whoami');
      expect(JSON.parse(text)).toMatchObject({ name: 'alice' });
      expect(await send(example.origin)).toMatchObject({ status: 200, text: 'Notes of all users' });
      await client.call('logout');
      expect(await client.call('whoami')).toMatchObject({
        isError: true,
        text: expect.stringContaining('`login`'),
      });
      await client.close();
    },
  );

  it('keeps a GET stream open until its session ends', async () => {
    const client = await connect2025(example.mcp);
    const headers = { accept: 'text/event-stream', 'mcp-session-id': client.secret };
    const stream = await fetch(example.mcp, { headers });
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    let isOpen = true;
    const ended = stream.text().finally(() => {
      isOpen = false;
    });
    expect(await client.call('session_status')).toMatchObject({ isError: false });
    expect(isOpen).toBe(true);
    expect(await client.end()).toMatchObject({ status: 200 });
    expect(await ended).toEqual(expect.any(String));
  });

  it.each(REFUSED)('answers as the library does: %s', async (_what, path, request) => {
    const [answer, expected] = await Promise.all(
      [example.origin, plain.origin].map((origin) => send(`${origin}${path}`, request)),
    );
    expect(expected?.status).toBeGreaterThanOrEqual(400);
    expect(answer).toMatchObject({ status: expected?.status, text: expected?.text });
    expect(answer?.headers['content-type']).toBe(expected?.headers['content-type']);
  });

  it('answers unknown pages with 404', async () => {
    expect(await send(`${example.origin}/nothing/here`)).toMatchObject({ status: 404 });
  });

  it('exits after SIGTERM, with logins revoked and streams closed', async () => {
    const own = await startExample(name, provider.serverEnvironment);
    onTestFinished(async () => {
      await own.kill();
    });
    const client = await connect('SDK 1.x', own.mcp);
    await client.logIn('bob');
    const raw = await logIn(await connect2025(own.mcp), new Browser(), 'carol');
    const headers = { accept: 'text/event-stream', 'mcp-session-id': raw.secret };
    const stream = await fetch(own.mcp, { headers });
    expect(await provider.activeTokens()).not.toEqual([]);
    expect(await own.stop()).toEqual({ code: 0, signal: null });
    expect(await provider.activeTokens()).toEqual([]);
    expect(await stream.text()).toEqual(expect.any(String));
    expect(own.stderr.entries).toEqual([]);
    await client.close();
  });
});

describe('examples/stdio.ts', () => {
  it('serves its tools to the client that starts it, and asks for a login', async () => {
    const transport = new StdioClientTransport({ command: process.execPath, args: [pathOf('stdio')] });
    const client = new Client({ name: 'test', version: '1.0.0' });
    onTestFinished(() => client.close());
    await client.connect(transport);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['next_event', 'login', 'logout', 'session_status']),
    );
    expect(await client.callTool({ name: 'next_event' })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('`login`') }],
    });
  });
});
