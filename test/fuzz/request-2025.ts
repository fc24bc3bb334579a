import { type Blueprint, type Header, type Placeholder, placeholder } from './blueprint.js';
import type { Call } from './json-rpc-messages.js';

export const JSON_HEADERS: readonly Header[] = [
  ['host', placeholder('host')],
  ['content-type', 'application/json'],
  ['accept', 'application/json, text/event-stream'],
];

/** A request in a connection of the 2025 revisions. @param whose the placeholder of the connection id */
export function inConnection(kind: string, whose: Placeholder, at: number, body: string): Blueprint {
  return post(kind, [...JSON_HEADERS, ['mcp-session-id', placeholder(whose, at)]], body);
}

export function post(kind: string, headers: readonly Header[], body: string): Blueprint {
  return { kind, method: 'POST', path: '/mcp', headers, body };
}

/** @param id `undefined` for notifications */
export function message(call: Call, id: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', ...(id !== undefined && { id }), ...call });
}
