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

/** A session's client, and the resources whose changes it wants to hear of. */
interface Subscriber {
  readonly server: McpServer;
  readonly uris: Set<string>;
}

type SetRequestHandler = McpServer['server']['setRequestHandler'];
type Handler = (request: { params: { uri: string } }, ...rest: unknown[]) => unknown;

const METHODS = ['resources/subscribe', 'resources/unsubscribe'] as const;
const MOST_PER_SESSION = 100;

/**
 * What clients whose connection is their session have subscribed to (`resources/subscribe`): each hears of its
 * own session's status, and of the author's resources that it named.
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #subscribers = new Map<SessionRef, Subscriber>();

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    options.events.subscribe((event) => {
      if (event.type === 'session.ended') this.#subscribers.delete(event.ref);
      const ref = statusChangedBy(event);
      const subscriber = ref && this.#subscribers.get(ref);
      // Once all have heard of the event: a sign-out makes connections forget what they were sent before it.
      if (subscriber) queueMicrotask(() => this.#tell(subscriber, STATUS_URI));
    });
  }

  /** How many sessions have subscribed to anything. */
  get size(): number {
    return this.#subscribers.size;
  }

  /** Tells everybody who subscribed to a resource of the author's that it has changed. */
  resourceUpdated(uri: string): void {
    for (const subscriber of this.#subscribers.values()) this.#tell(subscriber, uri);
  }

  /** Serves subscriptions on a server object that belongs to one session. An author's handlers are asked, too. */
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
    this.#subscribers.set(ref, { server, uris: new Set([STATUS_URI]) });
  }

  #note(method: (typeof METHODS)[number], uri: string, server: McpServer): void {
    const { named } = this.#options.contexts.get();
    if (named.state !== 'live') throw sessionRequired();
    const { ref } = named.record;
    const { uris } = this.#subscribers.get(ref) ?? { uris: new Set<string>() };
    if (method === 'resources/unsubscribe') uris.delete(uri);
    else if (uris.size < MOST_PER_SESSION || uris.has(uri)) uris.add(uri);
    else {
      const message = `No more than ${MOST_PER_SESSION} subscriptions at a time. Unsubscribe from another resource first.`;
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, message);
    }
    if (uris.size === 0) this.#subscribers.delete(ref);
    else this.#subscribers.set(ref, { server, uris });
  }

  #tell({ server, uris }: Subscriber, uri: string): void {
    // Of what is given up because it went away, a client is not told any more.
    if (!uris.has(uri) || !server.isConnected()) return;
    const { contexts, onError } = this.#options;
    contexts.outside(() => server.server.sendResourceUpdated({ uri }).catch(onError));
  }
}
