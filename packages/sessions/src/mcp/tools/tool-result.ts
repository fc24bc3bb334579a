import type { CallToolResult } from '@modelcontextprotocol/server';

/** A result with the same content as text and as structured content, for clients that read only one of them. */
export function structuredResult(structuredContent: Record<string, unknown>): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
}

/** An error for the model. Its text says what to do next. */
export function errorResult(text: string): CallToolResult {
  return { content: [{ type: 'text', text }], isError: true };
}
