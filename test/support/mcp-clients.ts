import * as sdk2 from '@modelcontextprotocol/client';
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { z } from 'zod';
import { Browser } from './browser.js';
import type { ToolAnswer } from './raw-mcp.js';

/** The real clients of both SDK generations, in every protocol mode. */
export const CLIENT_KINDS = ['SDK 1.x', 'SDK 2.x in 2025', 'SDK 2.x auto', 'SDK 2.x pinned to 2026'] as const;
export type ClientKind = (typeof CLIENT_KINDS)[number];
type Era = '2025' | '2026';

/** One of the real clients, connected. */
export interface McpClient {
  readonly kind: ClientKind;
  readonly era: Era;
  /** The handle that a 2026 client got from `login` and sends with every call. Tests may replace it. */
  handle: string | undefined;
  call(tool: string, args?: Record<string, unknown>): Promise<ToolAnswer>;
  /** Logs in with a browser. @returns the result of the `login` call that completes */
  logIn(username: string, browser?: Browser): Promise<Readonly<Record<string, unknown>>>;
  /** Closes every TCP connection without a message. */
  close(): Promise<void>;
  /** Ends a 2025 connection: DELETE. */
  terminate(): Promise<void>;
}

/** The interface of both generations. */
interface Wire {
  readonly era: Era;
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
  terminate(): Promise<void>;
}

const INFO = { name: 'test', version: '1.0.0' };

const resultSchema = z.looseObject({
  isError: z.boolean().default(false),
  content: z.array(z.looseObject({ text: z.string().default('') })).default([]),
  structuredContent: z.record(z.string(), z.unknown()).default({}),
});

/** Connects a client of that kind. */
export async function connect(kind: ClientKind, mcp: string): Promise<McpClient> {
  const wire = await wireOf(kind, new URL(mcp));
  const client: McpClient = {
    kind,
    era: wire.era,
    handle: undefined,
    async call(tool, args = {}) {
      const named = client.handle === undefined ? args : { session: client.handle, ...args };
      const result = resultSchema.parse(await wire.callTool({ name: tool, arguments: named }));
      const { isError, content, structuredContent: structured } = result;
      if (tool === 'login' && typeof structured.session === 'string') client.handle = structured.session;
      return { isError, text: content.map(({ text }) => text).join('\n'), structured };
    },
    async logIn(username, browser = new Browser()) {
      const { structured, text } = await client.call('login');
      if (typeof structured.loginUrl !== 'string') throw new Error(`No link for ${username}: ${text}`);
      const lastPage = await browser.logIn(structured.loginUrl, username);
      if (lastPage.status !== 200) throw new Error(`${username} got ${lastPage.status}: ${lastPage.text}`);
      const completed = await client.call('login');
      if (completed.structured.status !== 'authenticated')
        throw new Error(`${username} is not logged in: ${completed.text}`);
      return completed.structured;
    },
    close: wire.close,
    terminate: wire.terminate,
  };
  return client;
}

function wireOf(kind: ClientKind, mcp: URL): Promise<Wire> {
  switch (kind) {
    case 'SDK 1.x':
      return sdk1Wire(mcp);
    case 'SDK 2.x in 2025':
      return sdk2Wire(mcp, { supportedProtocolVersions: ['2025-11-25'] });
    case 'SDK 2.x auto':
      return sdk2Wire(mcp, { versionNegotiation: { mode: 'auto' } });
    case 'SDK 2.x pinned to 2026':
      return sdk2Wire(mcp, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  }
}

async function sdk1Wire(mcp: URL): Promise<Wire> {
  const client = new Sdk1Client(INFO);
  const transport = new Sdk1Transport(mcp);
  // The SDK's own types differ under exactOptionalPropertyTypes.
  await client.connect(transport as Parameters<typeof client.connect>[0]);
  return {
    era: '2025',
    callTool: (call) => client.callTool(call),
    close: () => client.close(),
    terminate: () => transport.terminateSession(),
  };
}

async function sdk2Wire(mcp: URL, options: sdk2.ClientOptions): Promise<Wire> {
  const client = new sdk2.Client(INFO, options);
  const transport = new sdk2.StreamableHTTPClientTransport(mcp);
  await client.connect(transport);
  return {
    era: client.getNegotiatedProtocolVersion() === '2026-07-28' ? '2026' : '2025',
    callTool: (call) => client.callTool(call),
    close: () => client.close(),
    terminate: () => transport.terminateSession(),
  };
}
