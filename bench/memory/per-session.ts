import { setTimeout as sleep } from 'node:timers/promises';
import type { Clients } from '../load/clients.js';
import { FASTMCP, FLOORS, PRODUCTS, SDK_V1, SDK_V2, type ServerKind } from '../servers/kinds.js';
import { RunningServer } from '../servers/running-server.js';
import type { Footprint } from '../servers/serve.js';

/** A server whose sessions are measured. */
export interface MemoryCase {
  readonly name: string;
  readonly label: string;
  readonly kind: ServerKind;
  readonly isLoggedIn: boolean;
  readonly hasStreams: boolean;
}

/** The bytes of one session, without and with an open event stream. */
export interface MemoryRow {
  readonly measured: MemoryCase;
  /** Absent: the server has no sessions. */
  readonly idle: Footprint | undefined;
  /** Absent: the revision has no such streams. */
  readonly withStream: Footprint | undefined;
}

/** Sessions before the first measurement: what the first ones allocate belongs to the server. */
const FIRST_SESSIONS = 2000;
/** Connections of this library hibernate after half a minute without a request, some at a time. */
const HIBERNATION_MS = 45_000;
/** Files and connections of a process besides the streams. */
const SPARE_FILES = 500;

export function memoryCases(): MemoryCase[] {
  const anonymous = (kind: ServerKind): MemoryCase => ({
    name: `memory-${kind.name}`,
    label: kind.label,
    kind,
    isLoggedIn: false,
    hasStreams: true,
  });
  const own = anonymous(PRODUCTS['2025']);
  return [
    { ...anonymous(FLOORS['2025']), label: 'node:http stream' },
    anonymous(SDK_V2),
    anonymous(SDK_V1),
    anonymous(FASTMCP),
    { ...own, label: 'mcp-sessions 2025, no login' },
    {
      ...own,
      name: `${own.name}-login`,
      label: 'mcp-sessions 2025, logged in',
      isLoggedIn: true,
    },
    {
      ...anonymous(PRODUCTS['2026']),
      label: 'mcp-sessions 2026, logged in',
      isLoggedIn: true,
      hasStreams: false,
    },
  ];
}

export interface MemoryOptions {
  readonly sessions: number;
  readonly flags: readonly string[];
}

export async function measureMemory(
  measured: MemoryCase,
  { sessions, flags }: MemoryOptions,
  clients: Clients,
): Promise<MemoryRow> {
  const { kind, isLoggedIn, hasStreams } = measured;
  const isFloor = kind === FLOORS[kind.era];
  const server = await RunningServer.start(kind, { sessions: sessions + FIRST_SESSIONS, flags });
  const add = async (count: number) => {
    if (isFloor) return;
    if (kind.era === '2026') await server.addHandles(count, async () => undefined);
    else await clients.open(server.url, count);
    if (kind.era === '2025' && isLoggedIn) await server.logInConnections();
  };
  try {
    await add(FIRST_SESSIONS);
    const few = await server.footprint();
    await add(sessions);
    const many = await server.footprint();
    const idle = isFloor ? undefined : perSession(many, few, sessions);
    if (!hasStreams) return { measured, idle, withStream: undefined };
    const streams = Math.min(sessions, maxFiles() - SPARE_FILES);
    await clients.stream(server.url, streams);
    if (kind.isOwn) await sleep(HIBERNATION_MS);
    const stream = perSession(await server.footprint(), many, streams);
    await clients.closeStreams();
    const { rss = 0, heap = 0 } = idle ?? {};
    return { measured, idle, withStream: { rss: rss + stream.rss, heap: heap + stream.heap } };
  } finally {
    await server.stop();
  }
}

function perSession(after: Footprint, before: Footprint, sessions: number): Footprint {
  return { rss: (after.rss - before.rss) / sessions, heap: (after.heap - before.heap) / sessions };
}

/** Node raises the soft limit to the hard one when it starts. */
function maxFiles(): number {
  // The types of Node do not describe the report.
  const report = process.report?.getReport() as
    | { readonly userLimits?: { readonly open_files?: { readonly soft?: number | 'unlimited' } } }
    | undefined;
  return Number(report?.userLimits?.open_files?.soft) || Number.POSITIVE_INFINITY;
}
