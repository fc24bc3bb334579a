import { connectionsToSentinels, type EngineAddress } from './connections.js';

/** The address of a primary. */
export interface PrimaryAddress {
  readonly host: string;
  readonly port: number;
}

/** A failover, as a sentinel tells of it. */
interface PrimarySwitch {
  readonly from: PrimaryAddress;
  readonly to: PrimaryAddress;
}

/**
 * Calls `onSwitch` when a sentinel names a new primary. Each sentinel does. The old primary accepts writes for some
 * seconds more, and all of them are lost.
 * @returns a function that ends it
 */
export function watchSentinels(
  address: EngineAddress,
  onSwitch: (primaries: PrimarySwitch) => void,
): () => void {
  const connections = connectionsToSentinels(address);
  for (const connection of connections) {
    // If no sentinel answers, the connections to the engine report it.
    connection.on('error', () => undefined);
    connection.on('ready', () => void connection.subscribe('+switch-master').catch(() => undefined));
    connection.on('message', (_channel: string, message: string) => {
      const [name, oldHost = '', oldPort, host = '', port] = message.split(' ');
      if (!('name' in address) || name !== address.name) return;
      onSwitch({ from: { host: oldHost, port: Number(oldPort) }, to: { host, port: Number(port) } });
    });
    connection.connect().catch(() => undefined);
  }
  return () => {
    for (const connection of connections) connection.disconnect();
  };
}
