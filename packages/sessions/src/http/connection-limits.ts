import type { ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { type ClientKey, clientKeyOf, parseAddress } from '../limits/client-key.js';
import { Counter } from '../limits/counter.js';
import type { Limits } from '../limits/limits.js';
import { isLoopbackHost } from '../secure-url.js';
import type { TrustedProxies } from './client-address.js';
import { READ_TIMEOUT_MS } from './http-limits.js';

export interface ConnectionLimits extends Pick<Limits, 'connections' | 'connectionsPerAddress'> {
  /** Their connections do not count, because each proxy carries many clients. */
  readonly trustedProxies: TrustedProxies;
}

/** Closes new connections that exceed the limit of this node or of their address, before they can send a request. */
export function limitConnections(server: Server, limits: ConnectionLimits): void {
  server.maxConnections = limits.connections;
  const counts = new Counter<ClientKey>();
  server.on('connection', (socket) => {
    const clientKey = countedClientOf(socket, limits.trustedProxies);
    if (clientKey === undefined) return;
    if (counts.get(clientKey) >= limits.connectionsPerAddress) {
      socket.destroy();
      return;
    }
    counts.add(clientKey, 1);
    socket.once('close', () => counts.add(clientKey, -1));
  });
}

function countedClientOf(
  { remoteAddress = '' }: Socket,
  trustedProxies: TrustedProxies,
): ClientKey | undefined {
  const address = parseAddress(remoteAddress);
  if (!address || isLoopbackHost(address.address) || trustedProxies.has(address)) return undefined;
  return clientKeyOf(address);
}

/** Closes the connection of a client that reads nothing of a waiting response. */
export function limitReading(response: ServerResponse): void {
  response.setTimeout(READ_TIMEOUT_MS, () => {
    // An idle connection without an unread response is kept.
    if (response.writableLength > 0) response.destroy();
  });
}
