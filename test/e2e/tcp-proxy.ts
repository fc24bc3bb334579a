import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { Journal } from '../support/journal.js';

/** The TCP segment that cuts a connection. */
export const CUTS = ['FIN', 'RST'] as const;
export type Cut = (typeof CUTS)[number];

/** A network between client and server with faults that a test controls. */
export interface TcpProxy {
  /** The URL of the server through the proxy. */
  through(url: string): string;
  /** Cuts every open connection on both sides. */
  cut(how: Cut): void;
  /** Cuts the client's half of every open connection, and keeps the server's half. Drops what the server sends. */
  cutClientHalf(how: Cut): void;
  /** The bytes that the server has sent on connections whose client half is cut. */
  readonly swallowed: Journal<string>;
  /** Drops everything on the open connections from now on, including their end. */
  goSilent(): void;
  /** Buffers what the server sends until `flush`, like a buffering reverse proxy. */
  buffer(): void;
  flush(): void;
  close(): Promise<void>;
}

interface Link {
  readonly sockets: readonly [client: Socket, server: Socket];
  isSilent: boolean;
  /** The buffered bytes; `undefined` without buffering. */
  held: (() => void)[] | undefined;
}

/** Starts a proxy in front of the server at `target`. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { port, hostname } = new URL(target);
  const links = new Set<Link>();
  const swallowed = new Journal<string>();
  let isBuffering = false;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    const link: Link = { sockets: [client, upstream], isSilent: false, held: isBuffering ? [] : undefined };
    links.add(link);
    upstream.on('data', (chunk) => link.isSilent && swallowed.add(chunk.toString()));
    forward(link, client, upstream, (deliver) => deliver());
    forward(link, upstream, client, (deliver) => (link.held ? link.held.push(deliver) : deliver()));
    const drop = () => {
      if (client.closed && upstream.closed) links.delete(link);
    };
    for (const socket of link.sockets) socket.once('close', drop);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // The address of a listening TCP server is an AddressInfo.
  const own = (server.address() as AddressInfo).port;
  const allSockets = () => [...links].flatMap(({ sockets }) => sockets);
  return {
    through: (url) => Object.assign(new URL(url), { port: String(own) }).href,
    cut(how) {
      for (const socket of allSockets()) how === 'RST' ? socket.resetAndDestroy() : socket.destroy();
    },
    cutClientHalf(how) {
      for (const link of links) {
        const [client] = link.sockets;
        link.isSilent = true;
        how === 'RST' ? client.resetAndDestroy() : client.destroy();
      }
    },
    swallowed,
    goSilent() {
      for (const link of links) link.isSilent = true;
    },
    buffer() {
      isBuffering = true;
      for (const link of links) link.held ??= [];
    },
    flush() {
      isBuffering = false;
      for (const link of links) {
        const held = link.held ?? [];
        link.held = undefined;
        for (const deliver of held) deliver();
      }
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of allSockets()) socket.destroy();
      await closed;
    },
  };
}

/** Forwards the bytes and the end of one side; `pass` decides when. A broken connection breaks on both sides. */
function forward(link: Link, from: Socket, to: Socket, pass: (deliver: () => void) => void): void {
  from.on('data', (chunk) => {
    if (link.isSilent) return;
    pass(() => {
      // Backpressure: bytes are read only when the other side takes them.
      if (!to.write(chunk)) from.pause();
    });
  });
  to.on('drain', () => from.resume());
  from.on('end', () => link.isSilent || pass(() => to.end()));
  from.on('error', () => link.isSilent || to.destroy());
  from.on('close', () => link.isSilent || pass(() => to.end()));
}
