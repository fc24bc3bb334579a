import {
  type AuthInfo,
  isInitializeRequest,
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCErrorResponse,
  type JSONRPCMessage,
  type JSONRPCRequest,
  type JSONRPCResultResponse,
  type RequestId,
  type TransportSendOptions,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import type { SessionId } from '../../session/ids.js';
import { FIRST_RESUMABLE_REVISION } from '../plain-tools/plain-call.js';
import type { SlowCalls } from '../server/slow-calls.js';
import { ErrorCode, errorResponse, MAX_REQUESTS_IN_FLIGHT, tooManyInFlight } from '../wire/error-response.js';
import { messagesOf, methodOf, propertyOf, requestIdsOf } from '../wire/json-rpc.js';
import { ACCEPTED, isPlainAnswer, type PlainAnswer } from '../wire/plain-answer.js';
import { EarlyAnswer } from './early-answer.js';
import type { EventBuffer } from './event-buffer.js';
import type { ClientState } from './hibernated.js';

/** How long a client waits before it resumes a stream (SSE `retry`). */
const RETRY_MS = 1000;
const JSON_TYPE = /^application\/json\s*(;|$)/i;
/** The headers of what the client has said before. */
const REPLAY_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
/** The error of calls whose connection ends, for example by eviction. */
const ENDED = {
  code: ErrorCode.connectionClosed,
  message:
    'The connection ended while this call was in flight, so its result is lost. Changes that the call has made remain. Reconnect this server before you call again.',
};
/** Completes a cancelled request in the SDK. The client does not receive it. */
const CANCELLED = { code: -32_800, message: 'The request was cancelled.' };

type Resolver = Parameters<WebStandardStreamableHTTPServerTransport['setScopeChallengeResolver']>[0];

/** A POST. */
export interface Post {
  /** May be made when it is read. */
  readonly request: Request;
  /** Default: those of `request`. */
  readonly headers?: { get(name: string): string | null } | undefined;
  /** The caller, for tools. */
  readonly authInfo: AuthInfo | undefined;
}

/** A request to a connection, or a batch. */
export interface Posted {
  readonly incoming: Post;
  /** One message, or a batch. */
  readonly body: unknown;
  /** Present if the request is a call that was served without the SDK until now. */
  readonly handedOver?: HandedOver | undefined;
}

/** A call that was served without the SDK until now. */
export interface HandedOver {
  readonly startedAtMs: number;
  /** Called when the SDK has the request. */
  readonly onDelivered: () => void;
  /** Called when the request has its answer. */
  readonly onAnswered: () => void;
}

/** A request without an answer. */
interface RequestInFlight {
  /** The POST that has brought it, as an object that identifies it. */
  readonly post: object | undefined;
  /** The level that a `logging/setLevel` sets. */
  logLevel?: unknown;
  readonly handedOver?: HandedOver | undefined;
  /** Present if the request may be answered with JSON. */
  early?: EarlyAnswer;
}

/** A call that is not served by the SDK. */
const RESERVED: RequestInFlight = { post: undefined };

export interface ConnectionTransportOptions {
  readonly id: SessionId;
  readonly events: EventBuffer;
  readonly currentPost: () => object | undefined;
  readonly slowCalls: SlowCalls<EarlyAnswer>;
  readonly standalone: StandaloneChannel;
}

/** The standalone stream of the client, as the server object uses it. */
interface StandaloneChannel {
  /** Sends a message that belongs to no request of the client. */
  send(message: JSONRPCMessage): Promise<void>;
  /** Ends the stream, so that its client opens another one. */
  end(): void;
}

/**
 * The SDK's transport, with checks of request ids, and with early answers. Without the checks, the SDK would take a
 * second request with the same id for the first and leave the first without a response, and it would keep a cancelled
 * request open. A request that may be answered early goes straight to the server object. If it turns out to need a
 * stream, the SDK's transport opens one for it, and what it delivers then is dropped. The standalone stream is not one of
 * the SDK's: it outlives the server object of a connection that hibernates.
 */
export class ConnectionTransport extends WebStandardStreamableHTTPServerTransport {
  readonly #options: ConnectionTransportOptions;
  readonly #inFlight = new Map<unknown, RequestInFlight>();
  /** The ids of requests to the client that it has not answered. */
  readonly #asked = new Set<unknown>();
  #logLevel: unknown;
  #versions: readonly string[] = [];
  #resolveChallenge: Resolver = () => undefined;
  #deliver: NonNullable<WebStandardStreamableHTTPServerTransport['onmessage']> = () => undefined;
  #isClosed = false;

  constructor(options: ConnectionTransportOptions) {
    const { id, events } = options;
    super({ sessionIdGenerator: () => id, eventStore: events, retryInterval: RETRY_MS });
    this.#options = options;
  }

  /** The SDK calls it when the server object takes messages. */
  override async start(): Promise<void> {
    await super.start();
    const deliver = this.onmessage;
    this.#deliver = (message, extra) => {
      if (isAnswer(message)) this.#asked.delete(message.id);
      deliver?.(message, extra);
    };
    this.onmessage = (message, extra) => {
      const method = methodOf(message);
      // The requests to the client have ids of their own, which its answers repeat.
      const isDelivered =
        method !== undefined && this.#inFlight.get(propertyOf(message, 'id'))?.early !== undefined;
      if (!isDelivered || method === 'initialize') this.#deliver(message, extra);
    };
  }

  override setSupportedProtocolVersions(versions: string[]): void {
    this.#versions = versions;
    super.setSupportedProtocolVersions(versions);
  }

  override setScopeChallengeResolver(resolve: Resolver): void {
    this.#resolveChallenge = resolve;
    // A request that is delivered already has passed.
    super.setScopeChallengeResolver((context) =>
      this.#inFlight.get(context.request.id)?.early ? undefined : resolve(context),
    );
  }

  /** Whether no request is in flight, of the client or to it. */
  get isIdle(): boolean {
    return this.#inFlight.size === 0 && this.#asked.size === 0 && !this.#isClosed;
  }

  /** The level of log messages that the client has set. `undefined`: none */
  get logLevel(): unknown {
    return this.#logLevel;
  }

  /**
   * Tells the server object what the client of a connection that hibernated has said before.
   * @throws Error if the server object refuses it
   */
  async replay({ initialize, logLevel }: ClientState): Promise<void> {
    await this.#options.events.pausedWhile(async () => {
      await this.#say('initialize', JSON.parse(initialize));
      if (logLevel !== undefined) await this.#say('logging/setLevel', { level: logLevel });
    });
  }

  async #say(method: string, params: unknown): Promise<void> {
    const headers = new Headers({ ...REPLAY_HEADERS, 'mcp-session-id': this.#options.id });
    const request = new Request('http://localhost/', { method: 'POST', headers });
    const body = { jsonrpc: '2.0', id: `replayed ${method}`, method, params };
    const answer = await this.serve({ incoming: { request, headers, authInfo: undefined }, body });
    if (isPlainAnswer(answer)) return;
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`A hibernating connection has not woken: ${method} was refused.`);
  }

  /** Takes an id for a call that the SDK does not serve. @returns whether it is free, and the connection has room */
  reserve(id: unknown): boolean {
    if (this.#inFlight.size >= MAX_REQUESTS_IN_FLIGHT || this.#inFlight.has(id)) return false;
    const post = this.#options.currentPost();
    if (post) this.#options.events.begin(post, 1);
    this.#inFlight.set(id, RESERVED);
    return true;
  }

  /** Frees the id of a request without an answer, or with one. */
  release(id: unknown): void {
    this.#inFlight.get(id)?.handedOver?.onAnswered();
    this.#inFlight.delete(id);
  }

  /** Serves a POST. Refuses a request whose id is in use, and closes the streams of cancelled requests. */
  async serve(posted: Posted): Promise<Response | PlainAnswer> {
    const { body, handedOver } = posted;
    const ids = requestIdsOf(body);
    if (this.#inFlight.size + ids.length > MAX_REQUESTS_IN_FLIGHT) {
      return tooManyInFlight();
    }
    if (new Set(ids).size < ids.length || ids.some((id) => this.#inFlight.has(id))) {
      return errorResponse(
        400,
        ErrorCode.invalidRequest,
        'A request with this id is still being served. Give every request of a session an id of its own.',
      );
    }
    const post = this.#options.currentPost();
    // A call that is handed over began when it was reserved: a sign-out may have come since.
    if (post && !handedOver) this.#options.events.begin(post, ids.length);
    for (const id of ids) this.#inFlight.set(id, { post, handedOver });
    for (const message of messagesOf(body)) this.#noteLogLevel(message);
    const response = await this.#respond(posted).catch((error: unknown) => {
      for (const id of ids) this.release(id);
      throw error;
    });
    if (!isPlainAnswer(response) && !response.ok) for (const id of ids) this.release(id);
    for (const id of cancelledIdsOf(body)) await this.#dropCancelled(id);
    return response;
  }

  override async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    const relatedRequestId = options?.relatedRequestId;
    // A tool may send notifications after its client has cancelled the call, or its user has signed out.
    if (isJSONRPCNotification(message) && this.#isLate(relatedRequestId)) return;
    if (!isAnswer(message)) {
      this.#noteAsked(message);
      await this.#inFlight.get(relatedRequestId)?.early?.stream();
      await (relatedRequestId === undefined
        ? this.#options.standalone.send(message)
        : super.send(message, { relatedRequestId }));
      return;
    }
    const { early, logLevel } = this.#inFlight.get(message.id) ?? {};
    if (logLevel !== undefined && isJSONRPCResultResponse(message)) this.#logLevel = logLevel;
    // It throws if the answer cannot be sent, and the error that replaces it is the answer.
    if (early?.answer(JSON.stringify(message))) {
      this.release(message.id);
      return;
    }
    await early?.stream();
    try {
      await super.send(message);
    } finally {
      this.release(message.id);
    }
  }

  /** Answers the calls in flight with an error, and closes every stream. */
  override async close(): Promise<void> {
    this.#isClosed = true;
    for (const id of [...this.#inFlight.keys()]) {
      // The SDK has validated the ids of requests.
      await this.send({ jsonrpc: '2.0', id: id as RequestId, error: ENDED }).catch(ignore);
    }
    await super.close();
    this.#options.standalone.end();
  }

  override closeStandaloneSSEStream(): void {
    this.#options.standalone.end();
  }

  #noteLogLevel(message: unknown): void {
    if (methodOf(message) !== 'logging/setLevel') return;
    const request = this.#inFlight.get(propertyOf(message, 'id'));
    if (request) request.logLevel = propertyOf(propertyOf(message, 'params'), 'level');
  }

  /** Until the client answers a request, the server object is needed for the answer. */
  #noteAsked(message: JSONRPCMessage): void {
    if (isJSONRPCRequest(message)) this.#asked.add(message.id);
    else if (methodOf(message) === 'notifications/cancelled')
      for (const id of cancelledIdsOf(message)) this.#asked.delete(id);
  }

  async #respond(posted: Posted): Promise<Response | PlainAnswer> {
    const { incoming, body, handedOver } = posted;
    const open = () => {
      const { request, authInfo } = incoming;
      return this.handleRequest(request, { parsedBody: body, ...(authInfo && { authInfo }) });
    };
    if (this.#needsNoAnswer(posted)) return ACCEPTED;
    if (isInitializeRequest(body)) return this.#initialize(open, propertyOf(body, 'id'));
    const early = await this.#begin(posted);
    handedOver?.onDelivered();
    if (!early) return open();
    const json = await early.first;
    if (json !== undefined) return { json };
    try {
      return await open();
    } finally {
      early.opened();
    }
  }

  /** Delivers a request that may be answered early; `undefined` if the SDK's transport has to look at it. */
  async #begin(posted: Posted): Promise<EarlyAnswer | undefined> {
    const { body: message, incoming } = posted;
    const { authInfo } = incoming;
    if (!isJSONRPCRequest(message) || message.method === 'initialize' || !this.#isPlain(incoming))
      return undefined;
    const version = headersOf(incoming).get('mcp-protocol-version');
    const inFlight = this.#inFlight.get(message.id);
    if (!inFlight || (await this.#isChallenged(message, authInfo)) || this.#isClosed) return undefined;
    const early = new EarlyAnswer(this.#options.slowCalls, posted.handedOver?.startedAtMs);
    inFlight.early = early;
    const isResumable = version !== null && version >= FIRST_RESUMABLE_REVISION;
    this.#deliver(message, {
      ...(authInfo && { authInfo }),
      request: incoming.request,
      ...(isResumable && {
        closeSSEStream: () => void early.stream().then(() => this.closeSSEStream(message.id)),
        closeStandaloneSSEStream: () => this.closeStandaloneSSEStream(),
      }),
    });
    return early;
  }

  /** Delivers a message that is no request. @returns whether it was delivered; if not, the SDK's transport looks at it */
  #needsNoAnswer({ incoming, body }: Posted): boolean {
    const isMessage = isJSONRPCNotification(body) || isAnswer(body);
    if (!isMessage || !this.#isPlain(incoming)) return false;
    this.#deliver(body, {});
    return true;
  }

  /** Serves `initialize`, which the SDK's transport has to see. It opens a stream, which is seldom used. */
  async #initialize(open: () => Promise<Response>, id: unknown): Promise<Response | PlainAnswer> {
    const inFlight = this.#inFlight.get(id);
    const early = new EarlyAnswer(this.#options.slowCalls);
    if (inFlight) inFlight.early = early;
    const response = await open();
    if (!response.ok) {
      early.interrupt();
      return response;
    }
    const json = await early.first;
    early.opened();
    if (json === undefined) return response;
    const answer = JSON.parse(json) as JSONRPCResultResponse;
    this.closeSSEStream(answer.id);
    await super.send(answer);
    // It was kept for a client that resumes the stream.
    this.#options.events.restart();
    return { json, sessionId: this.#options.id };
  }

  /** Whether the SDK's transport would accept the headers of a message. */
  #isPlain(incoming: Post): boolean {
    const headers = headersOf(incoming);
    const version = headers.get('mcp-protocol-version');
    return !this.#isClosed && acceptsBoth(headers) && (version === null || this.#versions.includes(version));
  }

  /** Whether the caller lacks a scope. If the author's check fails, the SDK's transport reports that. */
  async #isChallenged(request: JSONRPCRequest, authInfo: AuthInfo | undefined): Promise<boolean> {
    try {
      return (await this.#resolveChallenge({ request, ...(authInfo && { authInfo }) })) !== undefined;
    } catch {
      return true;
    }
  }

  #isLate(relatedRequestId: RequestId | undefined): boolean {
    return relatedRequestId === undefined
      ? this.#options.events.isStale(this.#options.currentPost())
      : !this.#inFlight.has(relatedRequestId);
  }

  async #dropCancelled(id: unknown): Promise<void> {
    const inFlight = this.#inFlight.get(id);
    if (!inFlight) return;
    await inFlight.early?.stream();
    // The SDK has validated the ids of requests.
    const requestId = id as RequestId;
    const { post } = inFlight;
    const others = [...this.#inFlight].filter(([other, { post: its }]) => its === post && other !== id);
    // The calls of a batch share a stream.
    if (others.length === 0 || post === undefined) this.closeSSEStream(requestId);
    await this.send({ jsonrpc: '2.0', id: requestId, error: CANCELLED });
  }
}

/** The ids of the requests that a message, or a batch, cancels. */
export function cancelledIdsOf(body: unknown): unknown[] {
  return messagesOf(body)
    .filter((message) => methodOf(message) === 'notifications/cancelled')
    .map((message) => propertyOf(propertyOf(message, 'params'), 'requestId'));
}

function headersOf({ headers, request }: Post): NonNullable<Post['headers']> {
  return headers ?? request.headers;
}

function isAnswer(message: unknown): message is JSONRPCResultResponse | JSONRPCErrorResponse {
  return isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message);
}

/** Whether the headers are as the SDK's transport requires them. */
function acceptsBoth(headers: NonNullable<Post['headers']>): boolean {
  const accept = headers.get('accept') ?? '';
  return (
    accept.includes('application/json') &&
    accept.includes('text/event-stream') &&
    JSON_TYPE.test(headers.get('content-type') ?? '')
  );
}

function ignore(): void {
  // The call has got its response in the meantime.
}
