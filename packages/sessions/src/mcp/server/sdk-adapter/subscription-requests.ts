import type { McpServer, Transport } from '@modelcontextprotocol/server';
import { methodOf, replaceMethod } from './server-methods.js';

const METHODS = ['resources/subscribe', 'resources/unsubscribe'] as const;

export type SubscriptionMethod = (typeof METHODS)[number];

type Handler = (request: { params: { uri: string } }, ...rest: unknown[]) => unknown;

export interface SubscriptionHooks {
  /** Whether the author's handlers run for a resource. */
  readonly isAuthors: (uri: string) => boolean;
  /** Called when the handler of the author has returned. @throws the error for the client */
  readonly onRequest: (method: SubscriptionMethod, uri: string) => void;
  /** Called when the connection ends, also if the author sets `onclose`. */
  readonly onClose: () => void;
}

/** Handles the subscriptions of a server object that is not connected yet. Handlers of the author run, too. */
export function handleSubscriptions(
  mcp: McpServer,
  { isAuthors, onRequest, onClose }: SubscriptionHooks,
): void {
  const { server } = mcp;
  const authors = new Map<unknown, Handler>();
  server.registerCapabilities({ resources: { subscribe: true } });
  for (const method of METHODS) {
    const handle: Handler = async (request, ...rest) => {
      const { uri } = request.params;
      const author = isAuthors(uri) ? authors.get(method) : undefined;
      const answer = await Promise.resolve(author ? author(request, ...rest) : {});
      onRequest(method, uri);
      return answer;
    };
    methodOf(server, 'setRequestHandler')(method, handle);
  }
  replaceMethod(server, 'setRequestHandler', (set) => (method, ...rest) => {
    const isOurs = METHODS.some((ours) => ours === method);
    if (isOurs) authors.set(method, rest.at(-1) as Handler);
    else set(method, ...rest);
  });
  replaceMethod(mcp, 'connect', (connect) => async (transport) => {
    const channel = transport as Transport;
    await connect(channel);
    const { onclose } = channel;
    channel.onclose = () => {
      onClose();
      onclose?.();
    };
  });
}
