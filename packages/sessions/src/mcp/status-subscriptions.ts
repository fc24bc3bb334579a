import { type McpServer, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import { sessionRequired } from '../account/account-errors.js';
import type { SessionRef } from '../session/ids.js';
import type { SessionEvents } from '../session/session-events.js';
import type { RequestContexts } from './request-context.js';
import { STATUS_URI, statusChangedBy } from './status-resource.js';

export interface StatusSubscriptionsOptions {
  readonly contexts: RequestContexts;
  readonly events: SessionEvents;
  readonly onError: (error: unknown) => void;
}

type SetRequestHandler = McpServer['server']['setRequestHandler'];
type Handler = (request: { params: { uri: string } }, ...rest: unknown[]) => unknown;

const METHODS = ['resources/subscribe', 'resources/unsubscribe'] as const;

/** Tells the clients that subscribed to their session's status (`resources/subscribe`) when it changes. */
export class StatusSubscriptions {
  readonly #options: StatusSubscriptionsOptions;
  readonly #subscribers = new Map<SessionRef, McpServer>();

  constructor(options: StatusSubscriptionsOptions) {
    this.#options = options;
    options.events.subscribe((event) => {
      if (event.type === 'session.ended') this.#subscribers.delete(event.ref);
      const ref = statusChangedBy(event);
      if (ref) this.#tell(ref);
    });
  }

  /** How many sessions are subscribed. */
  get size(): number {
    return this.#subscribers.size;
  }

  /**
   * Serves subscriptions on a server object that belongs to one session. Those to other resources are left
   * to the handlers that the author registers from now on, if any.
   */
  serve(subscriber: McpServer): void {
    const { server } = subscriber;
    // One signature for the overloads of setRequestHandler, which the SDK picks by the method's name.
    const setHandler = server.setRequestHandler.bind(server) as (method: string, ...rest: unknown[]) => void;
    const authors = new Map<string, Handler>();
    server.registerCapabilities({ resources: { subscribe: true } });
    for (const method of METHODS) {
      const handle: Handler = (request, ...rest) => {
        if (request.params.uri === STATUS_URI) return this.#note(method, subscriber);
        const author = authors.get(method);
        if (author) return author(request, ...rest);
        throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'This resource does not tell of changes.');
      };
      setHandler(method, handle);
    }
    server.setRequestHandler = ((method: string, ...rest: unknown[]) => {
      const isOurs = METHODS.some((ours) => ours === method);
      if (isOurs) authors.set(method, rest.at(-1) as Handler);
      else setHandler(method, ...rest);
    }) as SetRequestHandler;
  }

  /** Tells a client from now on that subscribes in other ways than by request. */
  add(ref: SessionRef, subscriber: McpServer): void {
    this.#subscribers.set(ref, subscriber);
  }

  #note(method: (typeof METHODS)[number], subscriber: McpServer): Record<string, never> {
    const { named } = this.#options.contexts.get();
    if (named.state !== 'live') throw sessionRequired();
    if (method === 'resources/subscribe') this.add(named.record.ref, subscriber);
    else this.#subscribers.delete(named.record.ref);
    return {};
  }

  #tell(ref: SessionRef): void {
    const subscriber = this.#subscribers.get(ref);
    if (!subscriber) return;
    // Once all have heard of the event: a sign-out makes connections forget what they were sent before it.
    queueMicrotask(() => {
      // Of what is given up because it went away, a client is not told any more.
      if (!subscriber.isConnected()) return;
      subscriber.server.sendResourceUpdated({ uri: STATUS_URI }).catch(this.#options.onError);
    });
  }
}
