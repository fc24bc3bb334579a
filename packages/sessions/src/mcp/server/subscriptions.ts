import { type McpServer, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import { bytesOfText, type MemoryQuota, type QuotaShare } from '../../limits/memory-quota.js';
import { sessionRequired } from '../../session/account-errors.js';
import type { SessionRef } from '../../session/ids.js';
import type { InternalEvent } from '../../session/session-events.js';
import { MAX_SUBSCRIPTIONS, MAX_URI_CHARACTERS, quotaKeyOf } from '../request/client-memory-limits.js';
import type { RequestContexts } from '../request/context.js';
import { methodOf, replaceMethod } from './sdk-adapter/server-methods.js';
import { STATUS_URI, statusChangedBy } from './status-resource.js';

export interface SubscriptionsOptions {
  readonly contexts: RequestContexts;
  /** Counts the bytes of the subscriptions. */
  readonly kept: MemoryQuota;
  readonly onError: (error: unknown) => void;
}

/** The error if the shared memory for subscriptions is used up. */
const NO_ROOM =
  'This server has no room for more subscriptions. Unsubscribe from other resources, or try again later.';

/** The subscriptions of one client. */
interface Subscribed {
  /** The resources that the client has subscribed to. `undefined`: the SDK filters, so it gets every change. */
  readonly uris: Set<string> | undefined;
  readonly share: QuotaShare;
}

/** The clients of a session. */
type Subscribers = Map<McpServer, Subscribed>;

type Handler = (request: { params: { uri: string } }, ...rest: unknown[]) => unknown;

const METHODS = ['resources/subscribe', 'resources/unsubscribe'] as const;

/**
 * The subscriptions of clients with a connection (`resources/subscribe`). A client is notified of the status of its own
 * session, and of the author's resources that it has subscribed to.
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #subscribers = new Map<SessionRef, Subscribers>();

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    options.contexts.resourceUpdates.subscribe((uri, session) => {
      const sessions = session === undefined ? [...this.#subscribers.keys()] : [session];
      for (const ref of sessions) this.#notify(this.#subscribers.get(ref) ?? new Map(), uri);
    });
  }

  /** Follows an event. Call it for each one. */
  handleEvent(event: InternalEvent): void {
    if (event.type === 'session.ended') this.#forget(event.ref);
    const ref = statusChangedBy(event);
    const subscribers = ref && this.#subscribers.get(ref);
    // After the other listeners: at a sign-out, connections discard the messages that were sent before it.
    if (subscribers) queueMicrotask(() => this.#notify(subscribers, STATUS_URI));
  }

  /** The number of sessions with subscriptions. */
  get size(): number {
    return this.#subscribers.size;
  }

  /** Handles subscriptions on the server object of a connection. Handlers of the author run, too. */
  serve(subscriber: McpServer): void {
    const { server } = subscriber;
    const authors = new Map<unknown, Handler>();
    server.registerCapabilities({ resources: { subscribe: true } });
    for (const method of METHODS) {
      const handle: Handler = async (request, ...rest) => {
        const { uri } = request.params;
        const author = uri === STATUS_URI ? undefined : authors.get(method);
        const answer = await Promise.resolve(author ? author(request, ...rest) : {});
        this.#note(method, uri, subscriber);
        return answer;
      };
      methodOf(server, 'setRequestHandler')(method, handle);
    }
    replaceMethod(server, 'setRequestHandler', (set) => (method, ...rest) => {
      const isOurs = METHODS.some((ours) => ours === method);
      if (isOurs) authors.set(method, rest.at(-1) as Handler);
      else set(method, ...rest);
    });
  }

  /** Adds a client whose subscriptions the SDK knows (`subscriptions/listen` over stdio). */
  add(ref: SessionRef, server: McpServer): void {
    const share = this.#options.kept.open(undefined);
    this.#subscribersOf(ref).set(server, { uris: undefined, share });
  }

  #subscribersOf(ref: SessionRef): Subscribers {
    const subscribers = this.#subscribers.get(ref) ?? new Map();
    this.#subscribers.set(ref, subscribers);
    return subscribers;
  }

  #note(method: (typeof METHODS)[number], uri: string, server: McpServer): void {
    const context = this.#options.contexts.get();
    if (context.resolved.state !== 'live') throw sessionRequired();
    const { ref } = context.resolved.record;
    const subscribed = this.#subscribers.get(ref)?.get(server) ?? {
      uris: new Set(),
      share: this.#options.kept.open(quotaKeyOf(context)),
    };
    const { uris, share } = subscribed;
    if (!uris) return;
    if (method === 'resources/unsubscribe') uris.delete(uri);
    else this.#subscribe(uri, { uris, share });
    share.resize(bytesOfUris(uris));
    if (uris.size === 0) this.#remove(ref, server);
    else {
      this.#subscribersOf(ref).set(server, subscribed);
      server.server.onclose = () => this.#remove(ref, server);
    }
  }

  #subscribe(uri: string, { uris, share }: { readonly uris: Set<string>; readonly share: QuotaShare }): void {
    if (uris.has(uri)) return;
    const refusal =
      refusalOfUris([...uris, uri]) ?? (share.resize(bytesOfUris([...uris, uri])) ? undefined : NO_ROOM);
    if (refusal !== undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, refusal);
    uris.add(uri);
  }

  #remove(ref: SessionRef, server: McpServer): void {
    const subscribers = this.#subscribers.get(ref);
    subscribers?.get(server)?.share.release();
    subscribers?.delete(server);
    if (subscribers?.size === 0) this.#subscribers.delete(ref);
  }

  #forget(ref: SessionRef): void {
    for (const { share } of this.#subscribers.get(ref)?.values() ?? []) share.release();
    this.#subscribers.delete(ref);
  }

  #notify(subscribers: Subscribers, uri: string): void {
    const { contexts, onError } = this.#options;
    for (const [server, { uris }] of subscribers) {
      if (uris?.has(uri) === false || !server.isConnected()) continue;
      contexts.outside(() => server.server.sendResourceUpdated({ uri }).catch(onError));
    }
  }
}

/** The reason why these URIs exceed the limits of one client; `undefined` if they do not. */
export function refusalOfUris(uris: readonly string[]): string | undefined {
  if (uris.length > MAX_SUBSCRIPTIONS)
    return `At most ${MAX_SUBSCRIPTIONS} subscriptions are allowed at a time. Unsubscribe from another resource first.`;
  return uris.some((uri) => uri.length > MAX_URI_CHARACTERS)
    ? `To subscribe to a resource, its URI may have at most ${MAX_URI_CHARACTERS} characters.`
    : undefined;
}

/** The size of subscriptions in bytes. */
export function bytesOfUris(uris: Iterable<string>): number {
  return [...uris].reduce((sum, uri) => sum + bytesOfText(uri), 0);
}
