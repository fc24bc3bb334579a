import type { JSONRPCMessage, McpServer, Transport } from '@modelcontextprotocol/server';

/**
 * Serves one message of a client.
 * @param channel takes the response if the message is not delivered
 * @param deliver hands the message to the server object
 */
export type ServeMessage = (
  message: JSONRPCMessage,
  channel: Transport,
  deliver: () => void,
) => Promise<void>;

/**
 * Makes a server object process its messages one after the other through `serve`.
 *
 * This patches `connect`, because the SDK has no hook between reading a line and delivering its message: `serveStdio`
 * puts all messages in a queue, so that an `AsyncLocalStorage` entered at the transport holds another message's
 * context, and it creates the channel of a server object itself.
 * @param serve must not reject
 */
export function serveMessagesThrough(server: McpServer, serve: ServeMessage): void {
  const connect = server.connect.bind(server);
  server.connect = async (channel) => {
    await connect(channel);
    const deliver = channel.onmessage;
    let previous = Promise.resolve();
    channel.onmessage = (message, extra) => {
      // `serve` is asynchronous, and a message must not overtake the one before it.
      previous = previous.then(() => serve(message, channel, () => deliver?.(message, extra)));
    };
  };
}
