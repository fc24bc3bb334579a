import type { CallToolResult } from '@modelcontextprotocol/server';

/** A result whose text says the same as its structure, for clients that read only one of them. */
export function structuredResult(structuredContent: Record<string, unknown>): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
}

/** An error that the model reads; its text says what to do next. */
export function errorResult(text: string): CallToolResult {
  return { content: [{ type: 'text', text }], isError: true };
}
