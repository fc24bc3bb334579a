import * as sdk2 from '@modelcontextprotocol/client';
import { StdioClientTransport as Sdk2Transport } from '@modelcontextprotocol/client/stdio';
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema, ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { Browser } from '../support/browser.js';
import type { OpenAddress } from '../support/eliciting-clients.js';
import type { ClientKind } from '../support/mcp-clients.js';
import type { ToolAnswer } from '../support/raw-mcp.js';
import { MAIN, toolAnswerOf } from './stdio-process.js';

export interface StdioClientOptions {
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Declares URL elicitation. Called with each link. */
  readonly open?: OpenAddress;
}

/** A real client with a server that it has started. */
export interface StdioClient {
  readonly pid: number;
  readonly protocolVersion: string | undefined;
  readonly instructions: string | undefined;
  /** The errors of the client's transport, for example an invalid line on stdout. */
  readonly errors: readonly Error[];
  tools(): Promise<readonly { name: string; inputSchema: { properties?: object | undefined } }[]>;
  call(tool: string, args?: Record<string, unknown>): Promise<ToolAnswer>;
  /** Subscribes to a resource, in the client's revision. */
  subscribe(uri: string, changed: (uri: string) => void): Promise<void>;
  /** Logs in with a browser. @returns the result of the `login` call that completes */
  logIn(username: string): Promise<ToolAnswer>;
  close(): Promise<void>;
}

const INFO = { name: 'over-stdio', version: '1.0.0' };

const elicitationSchema = z.object({ mode: z.literal('url'), message: z.string(), url: z.string() });

/** Starts a client, which starts a server and connects to it. */
export async function connectStdio(kind: ClientKind, options: StdioClientOptions = {}): Promise<StdioClient> {
  const { flags = [], environment = {}, open } = options;
  const command: Command = {
    command: process.execPath,
    args: [MAIN, '--stdio', ...flags],
    env: { PATH: process.env.PATH ?? '', ...environment },
    stderr: 'ignore',
  };
  const errors: Error[] = [];
  const wire = await (kind === 'SDK 1.x'
    ? sdk1Wire(command, open, errors)
    : sdk2Wire(kind, command, open, errors));
  const call: StdioClient['call'] = async (tool, args = {}) =>
    toolAnswerOf(await wire.callTool({ name: tool, arguments: args }));
  return {
    ...wire,
    errors,
    call,
    async logIn(username) {
      const { structured, text } = await call('login');
      if (typeof structured.loginUrl !== 'string') throw new Error(`No link for ${username}: ${text}`);
      const { status } = await new Browser().logIn(structured.loginUrl, username);
      if (status !== 200) throw new Error(`The browser of ${username} ended at a page of status ${status}.`);
      return call('login');
    },
  };
}

interface Command {
  readonly command: string;
  readonly args: string[];
  readonly env: Record<string, string>;
  readonly stderr: 'ignore';
}

type Wire = Omit<StdioClient, 'errors' | 'call' | 'logIn'> & {
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
};

async function sdk1Wire(command: Command, open: OpenAddress | undefined, errors: Error[]): Promise<Wire> {
  const client = new Sdk1Client(INFO, { capabilities: capabilitiesWith(open) });
  if (open) {
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => answer(open, params));
  }
  client.onerror = (error) => errors.push(error);
  const transport = new Sdk1Transport(command);
  await client.connect(transport);
  return {
    pid: transport.pid ?? 0,
    protocolVersion: '2025-11-25',
    instructions: client.getInstructions(),
    tools: async () => (await client.listTools()).tools,
    async subscribe(uri, changed) {
      client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => changed(params.uri));
      await client.subscribeResource({ uri });
    },
    callTool: (call) => client.callTool(call),
    close: () => client.close(),
  };
}

async function sdk2Wire(
  kind: Exclude<ClientKind, 'SDK 1.x'>,
  command: Command,
  open: OpenAddress | undefined,
  errors: Error[],
): Promise<Wire> {
  const client = new sdk2.Client(INFO, { ...ERAS[kind], capabilities: capabilitiesWith(open) });
  if (open) {
    client.setRequestHandler('elicitation/create', ({ params }) => answer(open, params));
  }
  client.onerror = (error) => errors.push(error);
  const transport = new Sdk2Transport(command);
  await client.connect(transport);
  return {
    pid: transport.pid ?? 0,
    protocolVersion: client.getNegotiatedProtocolVersion(),
    instructions: client.getInstructions(),
    tools: async () => (await client.listTools()).tools,
    async subscribe(uri, changed) {
      client.setNotificationHandler('notifications/resources/updated', ({ params }) => changed(params.uri));
      const is2026 = client.getNegotiatedProtocolVersion() === '2026-07-28';
      if (is2026) await client.listen({ resourceSubscriptions: [uri] });
      else await client.subscribeResource({ uri });
    },
    callTool: (call) => client.callTool(call),
    close: () => client.close(),
  };
}

const ERAS: Readonly<Record<Exclude<ClientKind, 'SDK 1.x'>, sdk2.ClientOptions>> = {
  'SDK 2.x in 2025': { supportedProtocolVersions: ['2025-11-25'] },
  'SDK 2.x auto': { versionNegotiation: { mode: 'auto' } },
  'SDK 2.x pinned to 2026': { versionNegotiation: { mode: { pin: '2026-07-28' } } },
};

async function answer(open: OpenAddress, params: unknown) {
  return { action: await open(elicitationSchema.parse(params)) };
}

const capabilitiesWith = (open: OpenAddress | undefined) => (open ? { elicitation: { url: {} } } : {});
