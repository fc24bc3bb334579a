import type { Server, Socket } from 'node:net';
import { type Peer, peerOf, plainAddressOf } from '../limits/client-key.js';
import type { Limits } from '../limits/limits.js';
import { isLoopbackHost } from '../secure-url.js';
import type { TrustedProxies } from './trusted-proxies.js';

export interface ConnectionLimits extends Pick<Limits, 'connections' | 'connectionsPerAddress'> {
  /** Many clients come through one of them. */
  readonly trustedProxies: TrustedProxies;
}

/** Closes connections that are one too many as soon as they are made: on this node, or of their address. */
export function limitConnections(server: Server, limits: ConnectionLimits): void {
  server.maxConnections = limits.connections;
  const counts = new Map<Peer, number>();
  server.on('connection', (socket) => {
    const peer = countedPeerOf(socket, limits.trustedProxies);
    if (peer === undefined) return;
    const count = (counts.get(peer) ?? 0) + 1;
    if (count > limits.connectionsPerAddress) {
      socket.destroy();
      return;
    }
    counts.set(peer, count);
    socket.once('close', () => {
      const left = (counts.get(peer) ?? 1) - 1;
      if (left === 0) counts.delete(peer);
      else counts.set(peer, left);
    });
  });
}

function countedPeerOf({ remoteAddress = '' }: Socket, trustedProxies: TrustedProxies): Peer | undefined {
  const address = plainAddressOf(remoteAddress);
  if (address === undefined || isLoopbackHost(address) || trustedProxies.has(address)) return undefined;
  return peerOf(address);
}
