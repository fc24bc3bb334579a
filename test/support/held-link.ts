import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

/** A connection between two programs that a test can hold. */
export interface HeldLink {
  readonly port: number;
  /** Delivers nothing to the one that has connected from now on. What is held is lost when the link closes. */
  hold(): void;
  close(): void;
}

/** Forwards connections to a port on loopback. */
export async function startHeldLink(target: number): Promise<HeldLink> {
  const sockets = new Set<Socket>();
  const upstream = new Set<Socket>();
  const server = createServer((accepted) => {
    const forwarded = connect(target, '127.0.0.1');
    upstream.add(forwarded);
    for (const [socket, other] of [
      [accepted, forwarded],
      [forwarded, accepted],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // The address of a listening TCP server is an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    hold() {
      for (const socket of upstream) socket.unpipe().pause();
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
