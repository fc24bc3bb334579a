import { type McpServer, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import { bytesOfText, type MemoryQuota, type QuotaShare } from '../../limits/memory-quota.js';
import { sessionRequired } from '../../session/account-errors.js';
import type { ChangeElsewhere } from '../../session/followed-session.js';
import type { SessionRef } from '../../session/ids.js';
import type { InternalEvent } from '../../session/session-events.js';
import { MAX_SUBSCRIPTIONS, MAX_URI_CHARACTERS, quotaKeyOf } from '../request/client-memory-limits.js';
import type { RequestContexts } from '../request/context.js';
import { handleSubscriptions, type SubscriptionMethod } from './sdk-adapter/subscription-requests.js';
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

/**
 * The subscriptions of clients with a connection (`resources/subscribe`). A client is notified of the status of its own
 * session, and of the author's resources that it has subscribed to.
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #subscribers = new Map<SessionRef, Subscribers>();
  /** The sessions of the connection of a server object: a caller's session may end and start again. */
  readonly #sessionsOf = new WeakMap<McpServer, Set<SessionRef>>();

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    options.contexts.resourceUpdates.subscribe((uri, session) => {
      const sessions = session === undefined ? [...this.#subscribers.keys()] : [session];
      for (const ref of sessions) this.#notify(this.#subscribers.get(ref) ?? new Map(), uri);
    });
  }

  /** Follows an event, or a change by another node. Call it for each one. */
  handleEvent(event: InternalEvent | ChangeElsewhere): void {
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

  /** Whether the client of a server object has subscriptions. */
  has(server: McpServer): boolean {
    for (const ref of this.#sessionsOf.get(server) ?? [])
      if (this.#subscribers.get(ref)?.has(server)) return true;
    return false;
  }

  /** Handles subscriptions on the server object of a connection. Handlers of the author run, too. */
  serve(server: McpServer): void {
    const refs = new Set<SessionRef>();
    this.#sessionsOf.set(server, refs);
    handleSubscriptions(server, {
      isAuthors: (uri) => uri !== STATUS_URI,
      onRequest: (method, uri) => {
        // The handler of the author may return after the connection has ended.
        if (server.isConnected()) refs.add(this.#note(method, uri, server));
      },
      onClose: () => {
        for (const ref of refs) this.#remove(ref, server);
      },
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

  /** @returns the session of the request */
  #note(method: SubscriptionMethod, uri: string, server: McpServer): SessionRef {
    const context = this.#options.contexts.get();
    if (context.resolved.state !== 'live') throw sessionRequired();
    const { ref } = context.resolved.record;
    const subscribed = this.#subscribers.get(ref)?.get(server) ?? {
      uris: new Set(),
      share: this.#options.kept.open(quotaKeyOf(context)),
    };
    const { uris, share } = subscribed;
    if (!uris) return ref;
    if (method === 'resources/unsubscribe') uris.delete(uri);
    else this.#subscribe(uri, { uris, share });
    share.resize(bytesOfUris(uris));
    if (uris.size === 0) this.#remove(ref, server);
    else this.#subscribersOf(ref).set(server, subscribed);
    return ref;
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
