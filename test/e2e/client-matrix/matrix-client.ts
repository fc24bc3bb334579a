import { z } from 'zod';
import type { ToolAnswer } from '../../support/raw-mcp.js';

/** Whatever calls tools for a model, seen from the model. */
export interface MatrixClient {
  /** What `login` returned as `session`, if it did: passed with every call. */
  handle: string | undefined;
  call(tool: string, args?: Record<string, unknown>): Promise<ToolAnswer>;
  /** Ends the client, without a logout. */
  close(): Promise<void>;
}

const resultSchema = z.looseObject({
  isError: z.boolean().default(false),
  content: z.array(z.looseObject({ text: z.string().default('') })).default([]),
  structuredContent: z.record(z.string(), z.unknown()).default({}),
});

/** Gives what can call tools the memory of a model: it keeps the handle that `login` returns. */
export function matrixClient(
  callTool: (call: { name: string; arguments: Record<string, unknown> }) => Promise<unknown>,
  close: () => Promise<void>,
): MatrixClient {
  const client: MatrixClient = {
    handle: undefined,
    async call(tool, args = {}) {
      const named = client.handle === undefined ? args : { session: client.handle, ...args };
      const result = resultSchema.parse(await callTool({ name: tool, arguments: named }));
      const { isError, content, structuredContent: structured } = result;
      if (tool === 'login' && typeof structured.session === 'string') client.handle = structured.session;
      return { isError, text: content.map(({ text }) => text).join('\n'), structured };
    },
    close,
  };
  return client;
}
