import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sessions } from '../../../packages/sessions/src/index.js';
import { logIn } from '../../../packages/sessions/src/testing/index.js';
import { inMemory2026 } from '../../support/in-memory-client.js';
import { isInstalled } from '../../support/installed-program.js';
import { collectWarnings } from '../../support/process-warnings.js';
import { REDIS, type RedisServer, startRedis } from '../../support/redis-server.js';
import { ISSUER, startTokenIssuer, withToken } from '../../support/token-issuer.js';
import { named } from '../../support/transcribed-server.js';
import { startCluster } from './cluster-nodes.js';

let redis: RedisServer;

describe.skipIf(!isInstalled(REDIS))('three nodes with one engine', () => {
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  describe.each(['open', 'bearer'] as const)('in %s access', (access) => {
    async function loggedIn(user: string) {
      const issuer = startTokenIssuer();
      const made = await startCluster(
        redis,
        access === 'bearer' ? { access: { issuer: ISSUER } } : {},
        issuer.fetch,
      );
      const token = issuer.tokenOf(user);
      const ofUser = <S extends Pick<Sessions, 'handleRequest'>>(server: S) =>
        access === 'bearer' ? withToken(server, token) : server;
      const client = inMemory2026(ofUser(made.balancer));
      const started = (await client.call('login', {})).structured;
      const { code } = await logIn(made.balancer, started.loginUrl, { provider: made.provider, user });
      const { structured } = await client.call('login', { ...named(started), code });
      expect(structured).toMatchObject({ status: 'authenticated' });
      const at = (node: number) => inMemory2026(ofUser(made.nodes[node] as Sessions));
      return { ...made, client, at, session: named(structured) };
    }

    it('serve a login whose steps reach different ones', async () => {
      const { at, session } = await loggedIn('alice');
      for (const node of [0, 1, 2]) expect((await at(node).call('whoami', session)).text).toBe('200 alice');
    });

    it('refuse a session after a logout at another one at once [security 53]', async () => {
      const { at, session } = await loggedIn('alice');
      await at(1).call('logout', session);
      for (const node of [0, 1, 2]) {
        const answer = await at(node).call('whoami', session);
        expect(answer.isError).toBe(true);
        expect(answer.text).not.toContain('alice');
      }
    });

    it('send a refresh token once [security 17, 52]', async () => {
      const { at, session, provider, rejectLatest } = await loggedIn('alice');
      expect((await at(0).call('whoami', session)).text).toBe('200 alice');
      const before = provider.requests.token;
      const warnings = collectWarnings();
      rejectLatest();
      const calls = Array.from({ length: 60 }, (_, call) => at(call % 3).call('whoami', session));
      for (const answer of await Promise.all(calls)) expect(answer.text).toBe('200 alice');
      expect(provider.requests.token - before).toBe(1);
      expect(provider.reuses).toBe(0);
      expect(await warnings()).toEqual([]);
    });
  });
});
