import type { Server, Socket } from 'node:net';
import { type ClientKey, clientKeyOf, plainAddressOf } from '../limits/client-key.js';
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
  const counts = new Map<ClientKey, number>();
  server.on('connection', (socket) => {
    const clientKey = countedPeerOf(socket, limits.trustedProxies);
    if (clientKey === undefined) return;
    const count = (counts.get(clientKey) ?? 0) + 1;
    if (count > limits.connectionsPerAddress) {
      socket.destroy();
      return;
    }
    counts.set(clientKey, count);
    socket.once('close', () => {
      const left = (counts.get(clientKey) ?? 1) - 1;
      if (left === 0) counts.delete(clientKey);
      else counts.set(clientKey, left);
    });
  });
}

function countedPeerOf(
  { remoteAddress = '' }: Socket,
  trustedProxies: TrustedProxies,
): ClientKey | undefined {
  const address = plainAddressOf(remoteAddress);
  if (address === undefined || isLoopbackHost(address) || trustedProxies.has(address)) return undefined;
  return clientKeyOf(address);
}
