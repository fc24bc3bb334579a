import { randomBytes } from 'node:crypto';
import { createSessions, type Sessions, type SessionsOptions } from '../../packages/sessions/src/index.js';
import { redisClusterWith } from '../../packages/sessions/src/store/redis/redis-cluster.js';
import { startBalancer } from './balancer.js';
import { freePort } from './free-port.js';
import { type RedisServer, startRedis } from './redis-server.js';

/** The variable with the number of servers that share the sessions of an end-to-end test. Absent: one, with its own. */
export const NODES = 'TEST_NODES';

/** The number of servers of {@link NODES}; `undefined`: one, with its own sessions. */
export function sharedNodes(): number | undefined {
  const { [NODES]: nodes } = process.env;
  return nodes === undefined ? undefined : Number(nodes);
}

/** A server, or several behind a load balancer, that listen. */
export interface ListeningSessions {
  readonly sessions: Sessions;
  /** The MCP endpoint. */
  readonly mcp: string;
}

let engine: Promise<RedisServer> | undefined;
let users = 0;

/** Starts servers that share an engine, behind a load balancer, as one. The engine ends with the last of them. */
export async function listenShared(nodes: number, options: SessionsOptions): Promise<ListeningSessions> {
  engine ??= startRedis();
  users++;
  const used = engine;
  const { url } = await used;
  const balancer = await startBalancer();
  const namespace = `e2e-${randomBytes(8).toString('hex')}`;
  const keys = [`a:${randomBytes(32).toString('base64')}`];
  const servers: Sessions[] = [];
  for (let node = 0; node < nodes; node++) {
    // A busy machine answers late.
    const cluster = redisClusterWith({ deadlineMs: 60_000 }, { url, keys, namespace });
    const server = createSessions({ publicUrl: balancer.url, ...options, cluster });
    const port = await freePort();
    await server.listen({ port });
    servers.push(server);
    balancer.add(port);
  }
  const close = async () => {
    await balancer.close();
    if (--users > 0) return;
    engine = undefined;
    await (await used).stop();
  };
  return { sessions: asOne(servers, close), mcp: `${balancer.url}/mcp` };
}

/** Several servers as one: each call goes to the next of them. */
function asOne([first, ...others]: readonly Sessions[], onClose: () => Promise<void>): Sessions {
  if (!first) throw new Error('There is no server.');
  const servers = [first, ...others];
  let next = 0;
  const inTurn = () => servers[next++ % servers.length] ?? first;
  return {
    ...first,
    handleRequest: (...request) => inTurn().handleRequest(...request),
    list: () => inTurn().list(),
    signOut: (filter) => inTurn().signOut(filter),
    onEvent(listener) {
      const ends = servers.map((server) => server.onEvent(listener));
      return () => {
        for (const end of ends) end();
      };
    },
    async close(closing) {
      await Promise.all(servers.map((server) => server.close(closing)));
      await onClose();
    },
  };
}
