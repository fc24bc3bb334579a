import { randomBytes } from 'node:crypto';
import { expect, onTestFinished } from 'vitest';
import { createSessions, type Sessions, type SessionsOptions } from '../../../packages/sessions/src/index.js';
import {
  type RedisClusterOptions,
  redisClusterWith,
} from '../../../packages/sessions/src/store/redis/redis-cluster.js';
import { FaultingProvider } from '../../../packages/sessions/src/testing/index.js';
import type { RedisServer } from '../../support/redis-server.js';

export const MASTER_KEY = `a:${Buffer.alloc(32, 7).toString('base64')}`;

type Server = Pick<Sessions, 'handleRequest'>;

/** The options of a node. @param cluster `deadlineMs`: default a minute, for busy machines */
export function nodeOptions(
  redis: Pick<RedisServer, 'url'>,
  provider: FaultingProvider,
  options: Partial<SessionsOptions> = {},
  { deadlineMs = 60_000, ...cluster }: Partial<RedisClusterOptions> & { deadlineMs?: number } = {},
): SessionsOptions {
  return {
    server: { name: 'test', version: '1.0.0' },
    providers: provider.options,
    publicUrl: 'http://127.0.0.1:3000',
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch },
    cluster: redisClusterWith({ deadlineMs }, { url: redis.url, keys: [MASTER_KEY], ...cluster }),
    tools: registerWhoami,
    ...options,
  };
}

/** Registers a tool that asks an API which user the token belongs to. */
export const registerWhoami: SessionsOptions['tools'] = (server, context) => {
  server.registerTool('whoami', { description: 'The user.' }, async () => {
    const session = context.session();
    const response = await session.fetch('https://api.test/me');
    return { content: [{ type: 'text', text: `${response.status} ${await response.text()}` }] };
  });
};

/** Starts a node that serves `handleRequest` only. */
export function startNode(...node: Parameters<typeof nodeOptions>): Sessions {
  return createSessions(nodeOptions(...node));
}

function inTurn(nodes: readonly Server[]): Server {
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

/** Three nodes, and what they use. */
export interface ServerCluster {
  /** The options of one more node. */
  readonly nodeOptions: () => SessionsOptions;
  readonly nodes: readonly [Sessions, Sessions, Sessions];
  readonly provider: FaultingProvider;
  /** Hands each request to the next node. */
  readonly balancer: Server;
  /** Has the API reject the access token of its latest request from now on. */
  readonly rejectLatest: () => void;
}

/** Three nodes that are ready, and a provider whose API says which user a token belongs to. */
export async function startCluster(
  redis: Pick<RedisServer, 'url'>,
  options: Partial<SessionsOptions> = {},
  fetch?: typeof globalThis.fetch,
): Promise<ServerCluster> {
  const rejected = new Set<string>();
  let latest = '';
  const provider = new FaultingProvider({
    ...(fetch && { fetch }),
    api: (request, user) => {
      latest = request.headers.get('authorization') ?? '';
      if (user !== undefined && !rejected.has(latest)) return new Response(user);
      return new Response('', {
        status: 401,
        headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
      });
    },
  });
  const namespace = `test${randomBytes(8).toString('hex')}`;
  const nodes = [0, 1, 2].map(() => startNode(redis, provider, options, { namespace }));
  onTestFinished(async () => {
    await Promise.all(nodes.map((node) => node.close()));
  });
  for (const node of nodes) await expect.poll(() => readyOf(node)).toBe(200);
  return {
    nodeOptions: () => nodeOptions(redis, provider, options, { namespace }),
    nodes: nodes as [Sessions, Sessions, Sessions],
    provider,
    balancer: inTurn(nodes),
    rejectLatest: () => rejected.add(latest),
  };
}
