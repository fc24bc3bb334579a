import { randomBytes } from 'node:crypto';
import type { Clients } from '../load/clients.js';
import { PRODUCTS } from '../servers/kinds.js';
import { RunningServer } from '../servers/running-server.js';
import type { BenchEngine } from './engine.js';

/** What a session takes, and what it takes to log one in. */
export interface SessionCost {
  readonly engineBytes: number;
  /** On the heap of the server that has added the sessions. */
  readonly nodeBytes: number;
  readonly engineMicros: number;
  readonly nodeMicros: number;
}

/** Three servers with one engine, and one without. */
export interface Nodes {
  readonly single: RunningServer;
  readonly nodes: readonly RunningServer[];
  readonly session: SessionCost;
}

const NODES = 3;
/** What the first sessions allocate belongs to the server and to the engine. */
const FIRST_SESSIONS = 500;
const TOOLS: readonly string[] = ['echo_logged_in', 'echo_with_token'];

/** Starts all servers, each with the same number of logged-in sessions. */
export async function startNodes(engine: BenchEngine, sessions: number, clients: Clients): Promise<Nodes> {
  const started: RunningServer[] = [];
  const key = `a:${randomBytes(32).toString('base64')}`;
  const start = async (options: { cluster?: { url: string; key: string } }) => {
    const server = await RunningServer.start(PRODUCTS['2026'], { sessions, tools: TOOLS, ...options });
    started.push(server);
    return server;
  };
  try {
    const single = await start({});
    await single.addHandles(sessions, (ids) => clients.know(single.url, ids));
    const first = await start({ cluster: { url: engine.url, key } });
    const nodes = [first];
    while (nodes.length < NODES) nodes.push(await start({ cluster: { url: engine.url, key } }));
    const know = async (ids: string[]) => {
      for (const { url } of nodes) await clients.know(url, ids);
    };
    await first.addHandles(FIRST_SESSIONS, know);
    const session = await costOf(engine, first, sessions - FIRST_SESSIONS, know);
    return { single, nodes, session };
  } catch (error) {
    await Promise.all(started.map((server) => server.stop()));
    throw error;
  }
}

/** Adds sessions. */
async function costOf(
  engine: BenchEngine,
  node: RunningServer,
  count: number,
  know: (ids: string[]) => Promise<void>,
): Promise<SessionCost> {
  const [heap, usage, micros] = [(await node.footprint()).heap, await engine.usage(), await node.cpuMicros()];
  await node.addHandles(count, know);
  const [addedMicros, after] = [await node.cpuMicros(), await engine.usage()];
  return {
    engineBytes: (after.bytes - usage.bytes) / count,
    nodeBytes: ((await node.footprint()).heap - heap) / count,
    engineMicros: (after.cpuMicros - usage.cpuMicros) / count,
    nodeMicros: (addedMicros - micros) / count,
  };
}
