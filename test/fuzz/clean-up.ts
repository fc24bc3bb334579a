import { type Blueprint, placeholder } from './blueprint.js';
import type { Displaced } from './known-values.js';
import { named, request } from './request-2026.js';

/** The request that ends a temporary session. */
export function ending({ kind, id }: Displaced): Blueprint {
  if (kind === 'session') {
    const logout = { method: 'tools/call', params: { name: 'logout', arguments: {} } };
    return request('clean-up', named(logout, id, 'argument'), 1);
  }
  const headers = [
    ['host', placeholder('host')],
    ['mcp-session-id', id],
  ] as const;
  return { kind: 'clean-up', method: 'DELETE', path: '/mcp', headers };
}
