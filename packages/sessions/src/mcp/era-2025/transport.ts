import {
  type AuthInfo,
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type JSONRPCRequest,
  type RequestId,
  type Transport,
  type TransportSendOptions,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import type { SessionId } from '../../session/ids.js';
import type { Clock } from '../../time/clock.js';
import type { Deadlines } from '../../time/deadlines.js';
import { andThen, isThenable, type MaybePromise } from '../../time/promises.js';
import { FIRST_RESUMABLE_REVISION } from '../plain-tools/plain-call.js';
import type { SlowCalls } from '../server/slow-calls.js';
import { ErrorCode, errorResponse, MAX_REQUESTS_IN_FLIGHT, tooManyInFlight } from '../wire/error-response.js';
import { messagesOf, methodOf, propertyOf, requestIdsOf } from '../wire/json-rpc.js';
import { ACCEPTED, isPlainAnswer, type PlainAnswer } from '../wire/plain-answer.js';
import { EarlyAnswer } from './early-answer.js';
import type { EventBuffer } from './event-buffer.js';
import type { ClientState } from './hibernated.js';
import { Questions } from './questions.js';

/** How long a client waits before it resumes a stream (SSE `retry`). */
const RETRY_MS = 1000;
/** How long a server object has to answer what is replayed after hibernation. Requests of the client wait for it. */
const REPLAY_TIMEOUT_MS = 10_000;
const JSON_TYPE = /^application\/json\s*(;|$)/i;
/** The error of calls whose connection ends, for example by eviction. */
const ENDED = {
  code: ErrorCode.connectionClosed,
  message:
    'The connection ended while this call was in flight, so its result is lost. Changes that the call has made remain. Reconnect this server before you call again.',
};
/** RFC 5424, section 6.2.1, as MCP names them ("Logging"). */
const LOG_LEVELS: ReadonlySet<unknown> = new Set([
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
]);
/** Completes a cancelled request in the SDK. The client does not receive it. */
const CANCELLED = { code: -32_800, message: 'The request was cancelled.' };

type Streams = WebStandardStreamableHTTPServerTransport;
type Resolver = Parameters<Streams['setScopeChallengeResolver']>[0];
type Deliver = NonNullable<Transport['onmessage']>;
type Answer = Exclude<JSONRPCMessage, { method: string }>;

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
  /** Takes the answer of a replayed request, which the client got before. */
  readonly onReplayed?: ((answer: JSONRPCMessage) => void) | undefined;
}

/** A call that is not served by the SDK. */
const RESERVED: RequestInFlight = { post: undefined };

export interface ConnectionTransportOptions {
  readonly id: SessionId;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly events: EventBuffer;
  readonly currentPost: () => object | undefined;
  readonly slowCalls: SlowCalls<EarlyAnswer>;
  readonly standalone: StandaloneChannel;
  /** Returns an id that the connection has not used for a request to its client. */
  readonly nextQuestionId: () => number;
  /** Called with the result of the server object for `initialize`, as JSON. */
  readonly onInitialize?: ((params: unknown, result: string) => void) | undefined;
  /** Called when the client has got an error in answer to its `initialize`. */
  readonly onRefused?: (() => void) | undefined;
}

/** The standalone stream of the client, as the server object uses it. */
interface StandaloneChannel {
  /** Sends a message that belongs to no request of the client. */
  send(message: JSONRPCMessage): Promise<void>;
  /** Ends the stream, so that its client opens another one. */
  end(): void;
}

/**
 * Carries the messages between a server object and its client. A request goes straight to the server object, and its
 * answer, if it is the first message, goes straight to the client. The SDK's HTTP transport, which opens a stream for
 * each request, is made when the first request needs a stream, or an error that the SDK words: it gets the POST then, and
 * what it delivers is dropped. The standalone stream is not one of the SDK's: it outlives the server object of a
 * connection that hibernates.
 *
 * The ids of requests are checked here. The SDK would take a second request with the same id for the first and leave the
 * first without a response, and it would keep a cancelled request open.
 */
export class ConnectionTransport implements Transport {
  onclose?: Transport['onclose'];
  onerror?: Transport['onerror'];
  onmessage?: Transport['onmessage'];
  readonly sessionId: SessionId;
  readonly #options: ConnectionTransportOptions;
  readonly #inFlight = new Map<unknown, RequestInFlight>();
  readonly #questions: Questions;
  #logLevel: unknown;
  #versions: string[] = [];
  #resolveChallenge: Resolver = () => undefined;
  #opening: Promise<Streams> | undefined;
  #streams: Streams | undefined;
  /** The `initialize` without an answer. */
  #initialize: JSONRPCRequest | undefined;
  #isInitialized = false;
  /** Whether the server object has answered the `initialize` of the client with an error. */
  #isRefused = false;
  #isClosed = false;

  constructor(options: ConnectionTransportOptions) {
    this.sessionId = options.id;
    this.#options = options;
    this.#questions = new Questions(options.nextQuestionId);
  }

  /** The SDK calls it when the server object takes messages. */
  start(): Promise<void> {
    return Promise.resolve();
  }

  setSupportedProtocolVersions(versions: string[]): void {
    this.#versions = versions;
  }

  setScopeChallengeResolver(resolve: Resolver): void {
    this.#resolveChallenge = resolve;
  }

  /** Whether the server object has had the `initialize` of the client. */
  get isInitialized(): boolean {
    return this.#isInitialized;
  }

  /** Whether no request is in flight, of the client or to it. */
  get isIdle(): boolean {
    return this.#inFlight.size === 0 && this.#questions.size === 0 && !this.#isClosed;
  }

  /** The level of log messages that the client has set. `undefined`: none */
  get logLevel(): unknown {
    return this.#logLevel;
  }

  /**
   * Tells the server object what the client of a connection that hibernated has said before.
   * @throws Error if the server object refuses `initialize`, or does not answer it
   */
  async replay({ initialize, logLevel }: ClientState): Promise<void> {
    await this.#options.events.pausedWhile(async () => {
      // It was accepted as the parameters of a request.
      await this.#say('initialize', JSON.parse(initialize) as Record<string, unknown>);
      if (logLevel === undefined) return;
      // A connection without the level is better than none.
      await this.#say('logging/setLevel', { level: logLevel }).catch((error: Error) => this.onerror?.(error));
    });
  }

  async #say(method: string, params: Record<string, unknown>): Promise<void> {
    const id = `replayed ${method}`;
    const message: JSONRPCRequest = { jsonrpc: '2.0', id, method, params };
    const { clock, deadlines } = this.#options;
    const answer = await new Promise<JSONRPCMessage>((resolve, reject) => {
      const timeout = deadlines.at(clock.now() + REPLAY_TIMEOUT_MS, () =>
        reject(new Error(`The server object has not answered ${method} after hibernation.`)),
      );
      const onReplayed = (answer: JSONRPCMessage) => {
        timeout.cancel();
        resolve(answer);
      };
      this.#inFlight.set(id, { post: undefined, onReplayed });
      this.#noteLogLevel(message);
      this.#deliver(message, {});
    });
    if ('error' in answer) throw new Error(`The server object has refused ${method} after hibernation.`);
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

  /** Serves a request that is no POST. */
  async handleRequest(request: Request): Promise<Response> {
    const version = request.headers.get('mcp-protocol-version');
    if (request.method === 'DELETE' && !this.#isClosed && this.#isSupported(version)) {
      await this.close();
      return new Response(null);
    }
    return (await this.#openStreams()).handleRequest(request);
  }

  async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    const relatedRequestId = options?.relatedRequestId;
    if (!isAnswer(message)) return this.#sendOn(message, relatedRequestId);
    const { logLevel, onReplayed } = this.#inFlight.get(message.id) ?? {};
    if (logLevel !== undefined && 'result' in message) this.#logLevel = logLevel;
    const isOfInitialize = message.id === this.#initialize?.id;
    // They throw if the answer cannot be sent, and the error that replaces it is the answer.
    if (isOfInitialize) this.#noteInitialized(message);
    await this.#answer(message);
    if (isOfInitialize && this.#isRefused && !onReplayed) this.#options.onRefused?.();
  }

  async #answer(message: Answer): Promise<void> {
    const { early, onReplayed } = this.#inFlight.get(message.id) ?? {};
    if (early?.answer(JSON.stringify(message)) || onReplayed) {
      this.release(message.id);
      onReplayed?.(message);
      return;
    }
    await early?.stream();
    try {
      await (await this.#openStreams()).send(message);
    } finally {
      this.release(message.id);
    }
  }

  /** Sends a notification, or a request to the client. */
  async #sendOn(message: JSONRPCMessage, relatedRequestId: RequestId | undefined): Promise<void> {
    const sent = this.#questions.toClient(message);
    try {
      await this.#sendTo(sent, relatedRequestId);
    } catch (error) {
      this.#questions.forget(sent);
      throw error;
    }
  }

  async #sendTo(message: JSONRPCMessage, relatedRequestId: RequestId | undefined): Promise<void> {
    // A tool may send notifications after its client has cancelled the call, or its user has signed out.
    if (!('id' in message) && this.#isLate(relatedRequestId)) return;
    if (relatedRequestId === undefined) return this.#options.standalone.send(message);
    const { early, onReplayed } = this.#inFlight.get(relatedRequestId) ?? {};
    if (onReplayed) return;
    await early?.stream();
    await (await this.#openStreams()).send(message, { relatedRequestId });
  }

  /** Answers the calls in flight with an error, and closes every stream. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const id of [...this.#inFlight.keys()]) {
      // The SDK has validated the ids of requests.
      await this.send({ jsonrpc: '2.0', id: id as RequestId, error: ENDED }).catch(ignore);
    }
    await (await this.#opening)?.close();
    this.onclose?.();
    this.#options.standalone.end();
  }

  /**
   * The SDK's HTTP transport.
   * @param isFirst whether its first request is the `initialize` of the client
   */
  #openStreams(isFirst = false): Promise<Streams> {
    this.#opening ??= this.#makeStreams(isFirst);
    return this.#opening;
  }

  async #makeStreams(isFirst: boolean): Promise<Streams> {
    const { id, events } = this.#options;
    const streams = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      eventStore: events,
      retryInterval: RETRY_MS,
      supportedProtocolVersions: this.#versions,
    });
    streams.onerror = (error) => this.onerror?.(error);
    if (!isFirst) await introduce(streams);
    // A request that is delivered already has passed.
    streams.setScopeChallengeResolver((context) =>
      this.#inFlight.get(context.request.id)?.early ? undefined : this.#resolveChallenge(context),
    );
    streams.onmessage = (message, extra) => {
      // The requests to the client have ids of their own, which its answers repeat.
      const isDelivered =
        methodOf(message) !== undefined && this.#inFlight.get(propertyOf(message, 'id'))?.early !== undefined;
      if (!isDelivered) this.#deliver(message, extra);
    };
    if (this.#isClosed) await streams.close();
    this.#streams = streams;
    return streams;
  }

  readonly #deliver: Deliver = (message, extra) => {
    if ('method' in message && message.method === 'initialize') {
      this.#isInitialized = true;
      if ('id' in message) this.#initialize = message;
    }
    const delivered = this.#questions.toServer(message);
    if (delivered) this.onmessage?.(delivered, extra);
    // The client may have answered before it has learned that the request was cancelled.
    else this.onerror?.(new Error('The client has answered a request that is not open.'));
  };

  #noteInitialized(answer: Answer): void {
    const { params } = this.#initialize ?? {};
    if ('result' in answer) this.#options.onInitialize?.(params, JSON.stringify(answer.result));
    else this.#isRefused = true;
    this.#initialize = undefined;
  }

  #noteLogLevel(message: unknown): void {
    if (methodOf(message) !== 'logging/setLevel') return;
    const request = this.#inFlight.get(propertyOf(message, 'id'));
    const level = propertyOf(propertyOf(message, 'params'), 'level');
    // A handler of the author may accept others, of any size.
    if (request && LOG_LEVELS.has(level)) request.logLevel = level;
  }

  async #respond(posted: Posted): Promise<Response | PlainAnswer> {
    const { incoming, body, handedOver } = posted;
    const isFirst = !this.#isInitialized && methodOf(body) === 'initialize';
    const open = async () => {
      const { request, authInfo } = incoming;
      const streams = await this.#openStreams(isFirst);
      return streams.handleRequest(request, { parsedBody: body, ...(authInfo && { authInfo }) });
    };
    if (this.#needsNoAnswer(posted)) return ACCEPTED;
    const beginning = this.#begin(posted, isFirst);
    // Each promise costs more while a storage of contexts is in use.
    const early = beginning instanceof Promise ? await beginning : beginning;
    handedOver?.onDelivered();
    if (!early) return open();
    const json = await early.first;
    if (json !== undefined)
      return isFirst && !this.#isRefused ? { json, sessionId: this.sessionId } : { json };
    try {
      return await open();
    } finally {
      early.opened();
    }
  }

  /** Delivers a request that may be answered early; `undefined` if the SDK's transport has to look at it. */
  #begin(posted: Posted, isFirst: boolean): MaybePromise<EarlyAnswer | undefined> {
    const { body: message, incoming } = posted;
    const isPlain = isJSONRPCRequest(message) && this.#isPlain(incoming, isFirst);
    if (!isPlain || (message.method === 'initialize' && !isFirst)) return undefined;
    return andThen(this.#isChallenged(message, incoming.authInfo), (isChallenged) =>
      isChallenged || this.#isClosed ? undefined : this.#deliverEarly(message, posted, isFirst),
    );
  }

  #deliverEarly(
    message: JSONRPCRequest,
    { incoming, handedOver }: Posted,
    isFirst: boolean,
  ): EarlyAnswer | undefined {
    const inFlight = this.#inFlight.get(message.id);
    if (!inFlight) return undefined;
    const { authInfo } = incoming;
    const early = new EarlyAnswer(this.#options.slowCalls, handedOver?.startedAtMs);
    inFlight.early = early;
    const version = isFirst
      ? propertyOf(message.params, 'protocolVersion')
      : headersOf(incoming).get('mcp-protocol-version');
    const isResumable =
      this.#versions.includes(String(version)) && String(version) >= FIRST_RESUMABLE_REVISION;
    this.#deliver(message, {
      ...(authInfo && { authInfo }),
      request: incoming.request,
      ...(isResumable && {
        closeSSEStream: () => void early.stream().then(() => this.#streams?.closeSSEStream(message.id)),
        closeStandaloneSSEStream: () => this.#options.standalone.end(),
      }),
    });
    return early;
  }

  /** Delivers a message that is no request. @returns whether it was delivered; if not, the SDK's transport looks at it */
  #needsNoAnswer({ incoming, body }: Posted): boolean {
    const isRequest = methodOf(body) !== undefined && propertyOf(body, 'id') !== undefined;
    const isMessage =
      !isRequest &&
      (isJSONRPCNotification(body) || isJSONRPCResultResponse(body) || isJSONRPCErrorResponse(body));
    if (!isMessage || !this.#isPlain(incoming)) return false;
    this.#deliver(body, {});
    return true;
  }

  /** Whether the SDK's transport would accept the headers of a message. */
  #isPlain(incoming: Post, isFirst = false): boolean {
    const headers = headersOf(incoming);
    const isSupported = isFirst || this.#isSupported(headers.get('mcp-protocol-version'));
    return !this.#isClosed && isSupported && acceptsBoth(headers);
  }

  #isSupported(version: string | null): boolean {
    return version === null || this.#versions.includes(version);
  }

  /** Whether the caller lacks a scope. If the author's check fails, the SDK's transport reports that. */
  #isChallenged(request: JSONRPCRequest, authInfo: AuthInfo | undefined): MaybePromise<boolean> {
    try {
      const challenge = this.#resolveChallenge({ request, ...(authInfo && { authInfo }) });
      if (!isThenable(challenge)) return challenge !== undefined;
      return Promise.resolve(challenge).then(
        (settled) => settled !== undefined,
        () => true,
      );
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
    if (others.length === 0 || post === undefined) this.#streams?.closeSSEStream(requestId);
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

/** Whether a message that the SDK has checked is an answer. */
function isAnswer(message: JSONRPCMessage): message is Answer {
  return !('method' in message);
}

const INTRODUCTION: JSONRPCRequest = {
  jsonrpc: '2.0',
  id: 'introduction',
  method: 'initialize',
  // A revision whose streams cannot be resumed: nothing is kept of it.
  params: { protocolVersion: '2025-03-26', capabilities: {}, clientInfo: { name: '', version: '' } },
};

/** Has the SDK's HTTP transport know that its client is initialized. No server object gets the message. */
async function introduce(streams: Streams): Promise<void> {
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  await streams.handleRequest(new Request('http://localhost/', { method: 'POST', headers }), {
    parsedBody: INTRODUCTION,
  });
  await streams.send({ jsonrpc: '2.0', id: INTRODUCTION.id, result: {} });
}

/** Whether the headers are as the SDK's transport requires them. */
export function acceptsBoth(headers: NonNullable<Post['headers']>): boolean {
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
