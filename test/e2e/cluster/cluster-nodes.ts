import { createSessions, type Sessions, type SessionsOptions } from '../../../packages/sessions/src/index.js';
import {
  type RedisClusterOptions,
  redisClusterWith,
} from '../../../packages/sessions/src/store/redis/redis-cluster.js';
import type { FaultingProvider } from '../../../packages/sessions/src/testing/index.js';
import type { RedisServer } from '../../support/redis-server.js';

export const MASTER_KEY = `a:${Buffer.alloc(32, 7).toString('base64')}`;

type Server = Pick<Sessions, 'handleRequest'>;

/** Starts a node that serves `handleRequest` only. @param cluster `deadlineMs`: default a minute, for busy machines */
export function startNode(
  redis: Pick<RedisServer, 'url'>,
  provider: FaultingProvider,
  options: Partial<SessionsOptions> = {},
  { deadlineMs = 60_000, ...cluster }: Partial<RedisClusterOptions> & { deadlineMs?: number } = {},
): Sessions {
  return createSessions({
    server: { name: 'test', version: '1.0.0' },
    providers: provider.options,
    publicUrl: 'http://127.0.0.1:3000',
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch },
    cluster: redisClusterWith({ deadlineMs }, { url: redis.url, keys: [MASTER_KEY], ...cluster }),
    tools: (server, context) => {
      server.registerTool('whoami', { description: 'The user.' }, async () => {
        const session = context.session();
        const response = await session.fetch('https://api.test/me');
        return { content: [{ type: 'text', text: `${response.status} ${await response.text()}` }] };
      });
    },
    ...options,
  });
}

export function inTurn(nodes: readonly Server[]): Server {
  let next = 0;
  return {
    handleRequest(...request) {
      const node = nodes[next++ % nodes.length];
      if (!node) throw new Error('There is no node.');
      return node.handleRequest(...request);
    },
  };
}

/** Waits until a node answers that it is ready. */
export async function readyOf(node: Server): Promise<number> {
  return (await node.handleRequest(new Request('http://127.0.0.1:3000/readyz'))).status;
}
