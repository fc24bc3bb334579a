import { connect, type Socket } from 'node:net';
import { connect2025, HttpClient, INITIALIZE, request2026 } from '../http-client.js';

/** The action that an attacker repeats on each of its connections. */
export interface Attack {
  act(): Promise<unknown>;
  /** Closes its connections. */
  end(): void;
}

/** An attacker, and its number of connections. */
interface Attacker {
  readonly mcp: string;
  readonly address: string;
  readonly connections: number;
}

type MakeAttack = (attacker: Attacker) => Promise<Attack>;

/** An attack, and the number of connections of its attacker. */
export interface AttackKind {
  readonly connections: number;
  readonly make: MakeAttack;
}

const keys = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [index.toString(36), 0]));
const table = (rows: number, cell: unknown) => ({ rows: Array.from({ length: rows }, () => [cell, cell]) });

/** Sends the same request. */
const sends =
  (body: string, headers: Record<string, string> = {}): MakeAttack =>
  async ({ mcp, address, connections }) => {
    const client = new HttpClient(mcp, address, connections);
    return { act: () => client.post(body, headers), end: () => client.close() };
  };

/** Subscribes to another address each time, 100 for each connection of the protocol. */
const subscribes =
  (characters: number): MakeAttack =>
  async ({ mcp, address, connections }) => {
    const client = new HttpClient(mcp, address, connections);
    const padding = 'x'.repeat(characters);
    let acts = 0;
    let headers = await connect2025(client);
    const act = async () => {
      acts++;
      const params = { uri: `abuse:${acts}:${padding}`.slice(0, characters) };
      const body = JSON.stringify({ jsonrpc: '2.0', id: acts, method: 'resources/subscribe', params });
      await client.post(body, headers);
      if (acts % 100 === 0) headers = await connect2025(client).catch(() => headers);
    };
    return { act, end: () => client.close() };
  };

/** How many answers an attacker leaves unread at the same time. */
const MOST_UNREAD = 400;

/** Requests 1 MiB on its own connection, and reads nothing. */
const leavesUnread: MakeAttack = async ({ mcp, address }) => {
  const { hostname, port, host, pathname } = new URL(mcp);
  const [body, headers] = request2026('tools/call', { name: 'large', arguments: {} });
  const lines = Object.entries({
    host,
    ...headers,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'x-forwarded-for': address,
    'content-length': Buffer.byteLength(body),
  }).map(([name, value]) => `${name}: ${value}`);
  const message = `POST ${pathname} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
  const sockets: Socket[] = [];
  const act = async () => {
    const socket = connect(Number(port), hostname).pause();
    socket.on('error', () => undefined);
    sockets.push(socket);
    if (sockets.length > MOST_UNREAD) sockets.shift()?.destroy();
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve()).write(message, () => setTimeout(resolve, 10));
    });
  };
  return {
    act,
    end: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
};

const wide = sends(...request2026('server/discover', {}, keys(105_000)));

/** The attacks, by name. */
export const ATTACKS: Readonly<Record<string, AttackKind>> = {
  'JSON of 0.9 MiB: 105,000 keys in `_meta`': { connections: 1, make: wide },
  'the same on two connections': { connections: 2, make: wide },
  'as many keys in `_meta` as are let in': {
    connections: 2,
    make: sends(...request2026('server/discover', {}, keys(380))),
  },
  'a table that does not fit its schema': {
    connections: 2,
    make: sends(...request2026('tools/call', { name: 'work', arguments: table(5300, 0) })),
  },
  '1 MiB that is no JSON': { connections: 2, make: sends(`[${' '.repeat(1024 * 1024 - 2)}`) },
  'a header of 15,000 slashes': {
    connections: 2,
    make: sends(INITIALIZE, { 'x-forwarded-prefix': `${'/'.repeat(15_000)}x` }),
  },
  'subscriptions to addresses of 1 MiB': { connections: 4, make: subscribes(1024 * 1024 - 200) },
  'subscriptions to addresses of 2 KiB': { connections: 4, make: subscribes(2048) },
  'a flood of `initialize`': { connections: 2, make: sends(INITIALIZE) },
  'answers of 1 MiB left unread': { connections: 2, make: leavesUnread },
};
