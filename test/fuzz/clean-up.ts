import { type Blueprint, placeholder } from './blueprint.js';
import type { Displaced } from './book.js';

/** How a throw-away session is ended that is not needed any more. */
export function ending({ kind, id }: Displaced): Blueprint {
  const headers = [
    ['host', placeholder('host')],
    ['content-type', 'application/json'],
    ['accept', 'application/json, text/event-stream'],
  ] as const;
  const path = '/mcp';
  if (kind === 'connection')
    return { kind: 'clean-up', method: 'DELETE', path, headers: [...headers, ['mcp-session-id', id]] };
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'fuzz', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const params = { name: 'logout', arguments: { session: id }, _meta };
  return {
    kind: 'clean-up',
    method: 'POST',
    path,
    headers: [
      ...headers,
      ['mcp-protocol-version', '2026-07-28'],
      ['mcp-method', 'tools/call'],
      ['mcp-name', 'logout'],
    ],
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
  };
}
