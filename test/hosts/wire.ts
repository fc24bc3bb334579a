import type { Recorded } from './stage.js';

const STATELESS = /"io\.modelcontextprotocol\/protocolVersion":"([\d-]+)"/;
const NEGOTIATED = /"result":\{"protocolVersion":"([\d-]+)"/;

/** The revision that a host and the server agreed on. */
export function wireEra(recorded: readonly Recorded[]): string {
  const versions = recorded.flatMap(({ path, body, answer, status }) => {
    if (!isEndpoint(path) || status !== 200) return [];
    const version = STATELESS.exec(body)?.[1] ?? NEGOTIATED.exec(answer)?.[1];
    return version === undefined ? [] : [version];
  });
  return [...new Set(versions)].join(', ') || '?';
}

/**
 * What the endpoint refused, by kind: `26 × GET 409`. A 401 is how a client finds where to sign in, and a GET
 * without a session how it finds what kind of server this is.
 */
export function wireErrors(recorded: readonly Recorded[]): string[] {
  const counts = new Map<string, number>();
  for (const { method, path, status, headers } of recorded) {
    if (!isEndpoint(path) || status === null || status < 400 || status === 401) continue;
    if (method !== 'POST' && headers['mcp-session-id'] === undefined) continue;
    const kind = `${method} ${status}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => `${count} × ${kind}`);
}

function isEndpoint(path: string): boolean {
  return path === '/mcp';
}
