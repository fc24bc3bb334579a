import type { Server, Socket } from 'node:net';
import { type ClientKey, clientKeyOf, plainAddressOf } from '../limits/client-key.js';
import { Counter } from '../limits/counter.js';
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
  const counts = new Counter<ClientKey>();
  server.on('connection', (socket) => {
    const clientKey = countedPeerOf(socket, limits.trustedProxies);
    if (clientKey === undefined) return;
    if (counts.get(clientKey) >= limits.connectionsPerAddress) {
      socket.destroy();
      return;
    }
    counts.add(clientKey, 1);
    socket.once('close', () => counts.add(clientKey, -1));
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
