import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { printableName } from '../../login/printable-name.js';

const envelopeSchema = z
  .object({
    [CLIENT_INFO_META_KEY]: z
      .object({ name: z.string(), title: z.string().optional(), version: z.string().catch('') })
      .optional()
      .catch(undefined),
    [CLIENT_CAPABILITIES_META_KEY]: z
      .object({ elicitation: z.object({ url: z.unknown() }).partial().optional() })
      .optional()
      .catch(undefined),
  })
  .catch({});

/** The client information of a client (`clientInfo`). Self-reported, not verified. */
export interface ClientInfo {
  readonly name: string;
  readonly version: string;
  readonly title?: string | undefined;
}

/** Reads the client information: from the request in the 2026 era, from `initialize` in the 2025 era. */
export function clientInfoOf(server: McpServer, context: ServerContext): ClientInfo | undefined {
  const envelope = envelopeSchema.parse(context.mcpReq.envelope);
  return envelope[CLIENT_INFO_META_KEY] ?? server.server.getClientVersion();
}

/** The self-reported name of a client, cleaned for display. */
export function clientNameOf(server: McpServer, context: ServerContext): string | undefined {
  const info = clientInfoOf(server, context);
  const name = info?.title ?? info?.name;
  return name === undefined ? undefined : printableName(name);
}

/** Whether a client can be asked to open an address (URL mode elicitation). */
export function supportsUrlElicitation(server: McpServer, context: ServerContext): boolean {
  const envelope = envelopeSchema.parse(context.mcpReq.envelope);
  const capabilities = envelope[CLIENT_CAPABILITIES_META_KEY] ?? server.server.getClientCapabilities();
  return capabilities?.elicitation?.url !== undefined;
}
