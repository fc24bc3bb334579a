import { connectionsToSentinels, type EngineAddress } from './connections.js';

/** The address of a primary. */
export interface PrimaryAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Calls `onSwitch` with the new primary when a sentinel names one. Each sentinel does. The old primary accepts writes for
 * some seconds more, and all of them are lost.
 * @returns a function that ends it
 */
export function watchSentinels(
  address: EngineAddress,
  onSwitch: (primary: PrimaryAddress) => void,
): () => void {
  const connections = connectionsToSentinels(address);
  for (const connection of connections) {
    // If no sentinel answers, the connections to the engine report it.
    connection.on('error', () => undefined);
    connection.on('ready', () => void connection.subscribe('+switch-master').catch(() => undefined));
    connection.on('message', (_channel: string, message: string) => {
      const [name, _oldHost, _oldPort, host = '', port] = message.split(' ');
      if ('name' in address && name === address.name) onSwitch({ host, port: Number(port) });
    });
    connection.connect().catch(() => undefined);
  }
  return () => {
    for (const connection of connections) connection.disconnect();
  };
}
