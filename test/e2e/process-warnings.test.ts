import * as sdk2 from '@modelcontextprotocol/client';
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { createSessions, type Sessions } from '../../packages/sessions/src/index.js';
import { connectClient, FaultingProvider, logIn } from '../../packages/sessions/src/testing/index.js';
import { collectWarnings } from '../support/process-warnings.js';

const INFO = { name: 'test', version: '1.0.0' };
/** More calls than the ten listeners after which Node warns of a leak. */
const CALLS = 30;

const resultSchema = z.looseObject({
  content: z.array(z.looseObject({ text: z.string() })),
  structuredContent: z.record(z.string(), z.unknown()).default({}),
});
type Call = (
  name: string,
  args?: Record<string, unknown>,
) => Promise<Readonly<z.output<typeof resultSchema>>>;

/** The real clients of both revisions, connected without a network. */
const CLIENTS: Readonly<Record<string, (sessions: Sessions) => Promise<Call>>> = {
  '2025': async (sessions) => {
    const client = new Sdk1Client(INFO);
    await connectClient(sessions, { client, Transport: Sdk1Transport });
    onTestFinished(() => client.close());
    return async (name, args = {}) => resultSchema.parse(await client.callTool({ name, arguments: args }));
  },
  '2026': async (sessions) => {
    const client = new sdk2.Client(INFO, { versionNegotiation: { mode: 'auto' } });
    await connectClient(sessions, { client, Transport: sdk2.StreamableHTTPClientTransport });
    onTestFinished(() => client.close());
    return async (name, args = {}) => resultSchema.parse(await client.callTool({ name, arguments: args }));
  },
};

/** Resolves for all callers at once, when as many have come as are expected. */
function meetingOf(callers: number): () => Promise<void> {
  let arrived = 0;
  let open: () => void = () => undefined;
  const all = new Promise<void>((resolve) => {
    open = resolve;
  });
  return () => {
    if (++arrived === callers) open();
    return all;
  };
}

function start() {
  const meet = meetingOf(CALLS);
  const provider = new FaultingProvider({
    api: async (_request, user) => {
      await meet();
      return new Response(user);
    },
  });
  const sessions = createSessions({
    server: INFO,
    publicUrl: 'http://127.0.0.1:3000',
    providers: provider.options,
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch },
    tools: (server, context) => {
      const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });
      server.registerTool('wait', {}, async ({ mcpReq }) => {
        mcpReq.signal.throwIfAborted();
        await meet();
        return text('waited');
      });
      server.registerTool('use', {}, async ({ mcpReq }) => {
        const { signal } = mcpReq;
        return text(await (await context.session().fetch('https://api.test/', { signal })).text());
      });
    },
  });
  onTestFinished(() => sessions.close());
  return { provider, sessions };
}

describe.each(Object.entries(CLIENTS))('a client of %s with many calls in flight', (_era, connect) => {
  it.each([
    ['wait', 'waited'],
    ['use', 'alice'],
  ])('causes no warning of the process, such as one of a leak: tool `%s`', async (tool, answer) => {
    const warnings = collectWarnings();
    const { provider, sessions } = start();
    const call = await connect(sessions);
    const { loginUrl, session } = (await call('login')).structuredContent;
    const { code } = await logIn(sessions, loginUrl, { provider, user: 'alice' });
    const named = session === undefined ? {} : { session };
    const done = (await call('login', { ...named, code })).structuredContent;
    const handle = session === undefined ? {} : { session: done.session };
    const answers = await Promise.all(Array.from({ length: CALLS }, () => call(tool, handle)));
    expect(new Set(answers.map(({ content }) => content[0]?.text))).toEqual(new Set([answer]));
    expect(await warnings()).toEqual([]);
  });
});
