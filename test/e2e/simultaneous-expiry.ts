import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type BearerAccessOptions, createSessions } from '../../packages/sessions/src/index.js';
import { startInProcessNotes } from '../support/in-process-notes.js';
import { ManualClock } from '../support/manual-clock.js';
import { type McpTokens, type RegisteredClient, registerMcpClient } from '../support/mcp-tokens.js';
import type { McpTokenFormat } from '../support/proxied-identity-provider.js';
import { request2026, send } from '../support/raw-mcp.js';

const HOUR_MS = 3_600_000;
const USERS = 100;
const OFFICE = '203.0.113.40';
const status = request2026('tools/call', { name: 'session_status', arguments: {} });

/** Tests a hundred users behind one address whose tokens expire at the same time. */
export function expiringTogether(mcpTokens: McpTokenFormat): void {
  const clock = new ManualClock();
  const servers: Record<string, string> = {};
  let close: () => Promise<void>;
  let access: BearerAccessOptions;
  let client: RegisteredClient;
  let tokens: McpTokens[];

  beforeAll(async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const notes = await startInProcessNotes({
      runtime: { clock },
      trustedProxies: ['127.0.0.1'],
      mcpTokens,
      access: (provider) => {
        access = provider;
        return provider;
      },
    });
    close = () => notes.close();
    notes.provider.accessTokenSeconds = HOUR_MS / 1000;
    client = await registerMcpClient(notes.provider.issuer, notes.mcp);
    const users = Array.from({ length: USERS }, (_, index) => `user-${index}`);
    tokens = await Promise.all(users.map((user) => client.tokensFor(user)));
    servers['has seen them before'] = notes.mcp;
    await Promise.all(tokens.map(({ accessToken }) => call(notes.mcp, accessToken)));
    vi.setSystemTime(Date.now() + 2 * HOUR_MS);
    clock.advance(2 * HOUR_MS);
    const restarted = createSessions({
      server: { name: 'restarted', version: '1.0.0' },
      providers: { issuer: notes.provider.issuer, clientId: 'other' },
      access: { ...access, audience: notes.mcp },
      trustedProxies: ['127.0.0.1'],
      runtime: { clock },
      tools: () => undefined,
    });
    close = async () => {
      await Promise.all([restarted.close(), notes.close()]);
    };
    servers['was started since'] = (await restarted.listen({ port: 0 })).url;
  });
  afterAll(async () => {
    vi.useRealTimers();
    await close();
  });

  const call = (mcp: string, token: string) =>
    send(mcp, {
      ...status,
      headers: { ...status.headers, authorization: `Bearer ${token}`, 'x-forwarded-for': OFFICE },
    });

  it.each(['has seen them before', 'was started since'])(
    'refresh after a 401 from a server that %s when their tokens expire together, and all calls succeed [security 41]',
    async (which) => {
      const mcp = servers[which] ?? '';
      const answers = await Promise.all(
        tokens.map(async ({ accessToken, refreshToken }, index) => {
          const refused = await call(mcp, accessToken);
          expect(refused.status).toBe(401);
          expect(refused.headers['www-authenticate']).toMatch(/error="invalid_token".* expired/);
          const refreshed = await client.refresh(refreshToken);
          tokens[index] = refreshed;
          return (await call(mcp, refreshed.accessToken)).status;
        }),
      );
      expect(answers).toEqual(Array.from({ length: USERS }, () => 200));
      // The tokens are expired for the next server, too.
      vi.setSystemTime(Date.now() + 2 * HOUR_MS);
      clock.advance(2 * HOUR_MS);
    },
  );
}
