import * as sdk2 from '@modelcontextprotocol/client';
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import type { ToolAnswer } from './raw-mcp.js';

/** The real clients with URL elicitation. */
export const ELICITING_KINDS = ['SDK 1.x', 'SDK 2.x in 2025', 'SDK 2.x in 2026'] as const;
export type ElicitingKind = (typeof ELICITING_KINDS)[number];

/** The reaction of a user to an elicitation. */
export type OpenAddress = (request: {
  readonly message: string;
  readonly url: string;
}) => Promise<'accept' | 'decline' | 'cancel'>;

export interface Progress {
  readonly progress: number;
  readonly message?: string | undefined;
}

interface CallOptions {
  /** Requests progress. */
  readonly onprogress?: (progress: Progress) => void;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
}

export interface ElicitingClient {
  /** Every notification on the wire. */
  readonly notifications: readonly string[];
  call(tool: string, args?: Record<string, unknown>, options?: CallOptions): Promise<ToolAnswer>;
  close(): Promise<void>;
}

const INFO = { name: 'eliciting', version: '1.0.0' };
const CAPABILITIES = { capabilities: { elicitation: { url: {} } } };
const elicitationSchema = z.object({ mode: z.literal('url'), message: z.string(), url: z.string() });
const resultSchema = z.looseObject({
  isError: z.boolean().default(false),
  content: z.array(z.looseObject({ text: z.string().default('') })).default([]),
  structuredContent: z.record(z.string(), z.unknown()).default({}),
});

/** Connects a client that declares URL elicitation. `open` reacts to it. */
export async function connectEliciting(
  kind: ElicitingKind,
  mcp: string,
  open: OpenAddress,
): Promise<ElicitingClient> {
  const answer = async (params: unknown) => ({ action: await open(elicitationSchema.parse(params)) });
  const wire = await (kind === 'SDK 1.x' ? sdk1(mcp, answer) : sdk2In(kind, mcp, answer));
  let handle: unknown;
  return {
    notifications: wire.notifications,
    async call(tool, args = {}, options = {}) {
      const named = handle === undefined ? args : { session: handle, ...args };
      const result = resultSchema.parse(await wire.callTool({ name: tool, arguments: named }, options));
      const { isError, content, structuredContent: structured } = result;
      if (tool === 'login') handle = structured.session ?? handle;
      return { isError, text: content.map(({ text }) => text).join('\n'), structured };
    },
    close: () => wire.close(),
  };
}

interface Wire {
  readonly notifications: readonly string[];
  callTool(
    call: { name: string; arguments: Record<string, unknown> },
    options: CallOptions,
  ): Promise<unknown>;
  close(): Promise<void>;
}
type Answer = (params: unknown) => Promise<{ action: 'accept' | 'decline' | 'cancel' }>;

async function sdk1(mcp: string, answer: Answer): Promise<Wire> {
  const client = new Sdk1Client(INFO, CAPABILITIES);
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => answer(params));
  const transport = new Sdk1Transport(new URL(mcp));
  // The SDK's own types differ under exactOptionalPropertyTypes.
  await client.connect(transport as Parameters<typeof client.connect>[0]);
  return {
    notifications: methodsBy(transport),
    callTool: (call, options) => client.callTool(call, undefined, options),
    close: () => client.close(),
  };
}

async function sdk2In(kind: ElicitingKind, mcp: string, answer: Answer): Promise<Wire> {
  const era: sdk2.ClientOptions =
    kind === 'SDK 2.x in 2026'
      ? { versionNegotiation: { mode: { pin: '2026-07-28' } } }
      : { supportedProtocolVersions: ['2025-11-25'] };
  const client = new sdk2.Client(INFO, { ...CAPABILITIES, ...era });
  client.setRequestHandler('elicitation/create', ({ params }) => answer(params));
  const transport = new sdk2.StreamableHTTPClientTransport(new URL(mcp));
  await client.connect(transport);
  return {
    notifications: methodsBy(transport),
    callTool: (call, options) => client.callTool(call, options),
    close: () => client.close(),
  };
}

/** Records the notifications of a transport. */
function methodsBy<Message extends object>(transport: {
  onmessage?: ((message: Message, ...more: never[]) => void) | undefined;
}): readonly string[] {
  const methods: string[] = [];
  const deliver = transport.onmessage;
  transport.onmessage = (message, ...more) => {
    if ('method' in message && !('id' in message)) methods.push(String(message.method));
    deliver?.(message, ...more);
  };
  return methods;
}
