import { type McpServer, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import { sessionRequired } from '../account/account-errors.js';
import type { SessionRef } from '../session/ids.js';
import type { SessionEvents } from '../session/session-events.js';
import type { RequestContexts } from './request-context.js';
import { STATUS_URI, statusChangedBy } from './status-resource.js';

export interface SubscriptionsOptions {
  readonly contexts: RequestContexts;
  readonly events: SessionEvents;
  readonly onError: (error: unknown) => void;
}

/** The clients of a session, each with the resources whose changes it wants to hear of. */
type Subscribers = Map<McpServer, Set<string>>;

type SetRequestHandler = McpServer['server']['setRequestHandler'];
type Handler = (request: { params: { uri: string } }, ...rest: unknown[]) => unknown;

const METHODS = ['resources/subscribe', 'resources/unsubscribe'] as const;
const MOST_PER_CLIENT = 100;

/**
 * What clients whose connection is their session have subscribed to (`resources/subscribe`): each hears of its
 * own session's status, and of the author's resources that it named.
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #subscribers = new Map<SessionRef, Subscribers>();

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    options.events.subscribe((event) => {
      if (event.type === 'session.ended') this.#subscribers.delete(event.ref);
      const ref = statusChangedBy(event);
      const subscribers = ref && this.#subscribers.get(ref);
      // Once all have heard of the event: a sign-out makes connections forget what they were sent before it.
      if (subscribers) queueMicrotask(() => this.#tell(subscribers, STATUS_URI));
    });
  }

  /** How many sessions have subscribed to anything. */
  get size(): number {
    return this.#subscribers.size;
  }

  /** Tells everybody who subscribed to a resource of the author's that it has changed. */
  resourceUpdated(uri: string): void {
    for (const subscribers of this.#subscribers.values()) this.#tell(subscribers, uri);
  }

  /** Serves subscriptions on a server object that belongs to one connection. An author's handlers are asked, too. */
  serve(subscriber: McpServer): void {
    const { server } = subscriber;
    // One signature for the overloads of setRequestHandler, which the SDK picks by the method's name.
    const setHandler = server.setRequestHandler.bind(server) as (method: string, ...rest: unknown[]) => void;
    const authors = new Map<string, Handler>();
    server.registerCapabilities({ resources: { subscribe: true } });
    for (const method of METHODS) {
      const handle: Handler = async (request, ...rest) => {
        const { uri } = request.params;
        const author = uri === STATUS_URI ? undefined : authors.get(method);
        const answer = await Promise.resolve(author ? author(request, ...rest) : {});
        this.#note(method, uri, subscriber);
        return answer;
      };
      setHandler(method, handle);
    }
    server.setRequestHandler = ((method: string, ...rest: unknown[]) => {
      const isOurs = METHODS.some((ours) => ours === method);
      if (isOurs) authors.set(method, rest.at(-1) as Handler);
      else setHandler(method, ...rest);
    }) as SetRequestHandler;
  }

  /** Subscribes a client that says in another way what it wants to hear: the SDK passes on no more than that. */
  add(ref: SessionRef, server: McpServer): void {
    this.#subscribersOf(ref).set(server, new Set([STATUS_URI]));
  }

  #subscribersOf(ref: SessionRef): Subscribers {
    const subscribers = this.#subscribers.get(ref) ?? new Map();
    this.#subscribers.set(ref, subscribers);
    return subscribers;
  }

  #note(method: (typeof METHODS)[number], uri: string, server: McpServer): void {
    const { named } = this.#options.contexts.get();
    if (named.state !== 'live') throw sessionRequired();
    const { ref } = named.record;
    const uris = this.#subscribers.get(ref)?.get(server) ?? new Set<string>();
    if (method === 'resources/unsubscribe') uris.delete(uri);
    else if (uris.size < MOST_PER_CLIENT || uris.has(uri)) uris.add(uri);
    else {
      const message = `No more than ${MOST_PER_CLIENT} subscriptions at a time. Unsubscribe from another resource first.`;
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, message);
    }
    if (uris.size === 0) this.#remove(ref, server);
    else {
      this.#subscribersOf(ref).set(server, uris);
      server.server.onclose = () => this.#remove(ref, server);
    }
  }

  #remove(ref: SessionRef, server: McpServer): void {
    const subscribers = this.#subscribers.get(ref);
    subscribers?.delete(server);
    if (subscribers?.size === 0) this.#subscribers.delete(ref);
  }

  #tell(subscribers: Subscribers, uri: string): void {
    const { contexts, onError } = this.#options;
    for (const [server, uris] of subscribers) {
      // Of what is given up because it went away, a client is not told any more.
      if (!uris.has(uri) || !server.isConnected()) continue;
      contexts.outside(() => server.server.sendResourceUpdated({ uri }).catch(onError));
    }
  }
}
