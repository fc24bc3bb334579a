import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Access, Admission, Principal, RequestOrigin } from '../access/access.js';
import type { ClientKey } from '../limits/client-key.js';
import { headOf, isPlainAnswer, type PlainAnswer } from '../mcp/wire/plain-answer.js';
import type { CountUnread } from '../mcp/wire/sse-stream.js';
import type { MaybePromise } from '../time/promises.js';
import { ANSWERS, acceptedAnswers } from './accept.js';
import { type JsonBodyLimits, JsonBodyReader } from './body/json-body.js';
import { clientKeyOfRequest, type TrustedProxies } from './client-address.js';
import { limitReading } from './connection-limits.js';
import type { DeploymentWarnings } from './deployment-warnings.js';
import type { GuardedRequest, Guards } from './guards.js';
import { NodeSink } from './node-sink.js';
import { RequestEnd, type RequestsInFlight } from './request-end.js';
import { NodeHeaders } from './request-headers.js';
import type { UnreadResponseLimit } from './unread-response-limit.js';

/** A request of the lane, for the endpoint. */
interface LaneRequest {
  /** Made when it is read. */
  readonly request: Request;
  readonly headers: NodeHeaders;
  readonly body: unknown;
  readonly origin: RequestOrigin;
  readonly clientKey: ClientKey | undefined;
  readonly principal: Principal | undefined;
  readonly closeConnection: () => void;
  readonly countUnread: CountUnread;
  readonly isDisconnected: boolean;
  readonly onDisconnect: (run: () => void) => void;
  /** Carries the events of a GET. */
  readonly sink?: NodeSink | undefined;
}

/** The MCP endpoint, as far as the lane uses it. */
interface DirectEndpoint {
  direct(request: LaneRequest): (() => Promise<PlainAnswer | Response | undefined>) | undefined;
}

export interface PlainLaneOptions extends Omit<JsonBodyLimits, 'memory'> {
  /** The targets of requests to the endpoint: with the path of the public URL, and without it. */
  readonly targets: ReadonlySet<string>;
  readonly endpoint: DirectEndpoint;
  readonly access: Access;
  readonly guards: Guards;
  readonly warnings: DeploymentWarnings;
  readonly trustedProxies: TrustedProxies;
  readonly bodyMemory: JsonBodyLimits['memory'];
  readonly unreadResponses: UnreadResponseLimit;
  readonly requestsInFlight: RequestsInFlight;
}

/** What is known of a request that the lane hands on, so that nothing is checked, counted or read again. */
export interface HandedOn {
  readonly origin: RequestOrigin;
  readonly clientKey: ClientKey | undefined;
  readonly end: RequestEnd;
  /** Absent: the request has no body. */
  readonly reader: JsonBodyReader | undefined;
  readonly admission: MaybePromise<Admission>;
  /** Whether the request counts as in flight, and its body as memory in use. */
  readonly isCounted: boolean;
  /** The answer, if there is one already. */
  readonly answer?: Response;
}

/** From this size in memory on, parsing a body takes about as long as serving it, which is a turn of its own. */
const LARGE_BYTES: number = 64 * 1024;
/** From this size on, sending an answer takes about as long as making it, and is a turn of its own. */
const LARGE_CHARACTERS: number = 64 * 1024;

/** Serves a request in the usual way. */
type HandOn = (handedOn: HandedOn) => void;

/** A request that may be plain. */
type Offered = Omit<HandedOn, 'isCounted' | 'answer'> & {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly headers: NodeHeaders;
};

/**
 * The short way of a call from Node's HTTP server to its tool and back, without a web-standard request and response, and
 * without routes. It takes what most clients send: a POST of JSON to the endpoint, without an `Origin`, and a GET that
 * opens the standalone stream of a 2025 client. It refuses nothing. What it does not take, or cannot answer, goes the
 * usual way, and every error is made there.
 */
export class PlainLane {
  readonly #options: PlainLaneOptions;

  constructor(options: PlainLaneOptions) {
    this.#options = options;
  }

  /**
   * Serves a request.
   * @param handOn called if the request has to go the usual way, after this function has returned
   * @returns whether the lane takes the request; if not, nothing of it was read
   */
  serve(incoming: IncomingMessage, outgoing: ServerResponse, handOn: HandOn): boolean {
    if (!this.#isOffered(incoming)) return false;
    const isGet = incoming.method === 'GET';
    const { access, guards, warnings, trustedProxies } = this.#options;
    const { bodyMemory: memory, scheduler, argumentElements } = this.#options;
    const headers = new NodeHeaders(incoming);
    const guarded: GuardedRequest = { url: '', headers, incoming };
    if (!guards.allowsHost(guarded)) return false;
    warnings.inspect(guarded);
    const origin = guards.requestOrigin(guarded);
    const clientKey = origin === 'local' ? undefined : clientKeyOfRequest(guarded, trustedProxies);
    const request = { headers, body: null, bodyUsed: false };
    const source = { request, incoming, isUnmodified: true, clientKey };
    const reader = isGet ? undefined : new JsonBodyReader(source, { memory, scheduler, argumentElements });
    const admission = access.admit({ authorization: headers.get('authorization'), origin, clientKey });
    const end = new RequestEnd(outgoing);
    const offered = { incoming, outgoing, headers, origin, clientKey, end, reader, admission };
    void (reader ? this.#serve({ ...offered, reader }, handOn) : this.#stream(offered, handOn));
    return true;
  }

  /** Whether the head of a request is one that the lane takes. */
  #isOffered(incoming: MountedMessage): boolean {
    const { method, url = '', originalUrl = url, headers, rawHeaders, httpVersionMajor } = incoming;
    const isGet = method === 'GET' && hasNoBody(headers);
    const accepted = acceptedAnswers(headers.accept ?? null);
    return (
      (isGet || (method === 'POST' && headers['content-type'] === 'application/json')) &&
      this.#options.targets.has(url) &&
      this.#options.targets.has(originalUrl) &&
      originalUrl.length >= url.length &&
      httpVersionMajor === 1 &&
      headers.origin === undefined &&
      // Node keeps one of several headers `Authorization`, and joins others.
      2 * Object.keys(headers).length === rawHeaders.length &&
      !incoming.readableDidRead &&
      !incoming.destroyed &&
      incoming.body === undefined &&
      (isGet ? accepted.includes('text/event-stream') : accepted.length === ANSWERS.length)
    );
  }

  /** Serves a GET: opens the standalone stream of a 2025 client. Never rejects. */
  async #stream(offered: Offered, handOn: HandOn): Promise<void> {
    const { endpoint, unreadResponses } = this.#options;
    const { outgoing, end, admission } = offered;
    const handedOn = { ...offered, isCounted: false };
    try {
      const admitted = await admission;
      if (!admitted.isAdmitted) return handOn(handedOn);
      const { principal } = admitted;
      const sink = new NodeSink(outgoing, end);
      const open = endpoint.direct(
        new LaneCall(offered, { principal, body: undefined, unreadResponses, sink }),
      );
      if (!open) return handOn(handedOn);
      const answer = await open();
      if (!answer || !isPlainAnswer(answer)) handOn({ ...handedOn, ...(answer && { answer }) });
    } catch {
      // The usual way fails in the same way, and says so.
      handOn(handedOn);
    }
  }

  /** Serves a POST. Never rejects. */
  async #serve(offered: Offered & { readonly reader: JsonBodyReader }, handOn: HandOn): Promise<void> {
    const { bodyMemory, requestsInFlight, scheduler, endpoint, unreadResponses } = this.#options;
    const { outgoing, clientKey, end, reader, admission } = offered;
    let isCounted = false;
    const count = (bytes: number) => {
      const reservation = bodyMemory.reserve(clientKey, bytes, () => void outgoing.destroy());
      end.onEnd(() => reservation.release());
      requestsInFlight.add(end);
      isCounted = true;
    };
    try {
      // A body may be refused while the access token is being verified.
      const admitted =
        admission instanceof Promise ? await Promise.race([admission, reader.refused()]) : admission;
      if (typeof admitted === 'string' || !admitted.isAdmitted) return handOn({ ...offered, isCounted });
      await reader.received;
      const body = reader.read();
      if (body instanceof Promise || body.kind !== 'json') return handOn({ ...offered, isCounted });
      if (body.bytes > LARGE_BYTES) {
        count(body.bytes);
        await scheduler.waitForTurn(clientKey, true);
      }
      const call = endpoint.direct(
        new LaneCall(offered, { principal: admitted.principal, body: body.value, unreadResponses }),
      );
      if (!call) return handOn({ ...offered, isCounted });
      if (!isCounted) count(body.bytes);
      const answer = await call();
      if (answer && isPlainAnswer(answer)) this.#send(answer, offered);
      else handOn({ ...offered, isCounted, ...(answer && { answer }) });
    } catch {
      // The usual way fails in the same way, and says so.
      handOn({ ...offered, isCounted });
    }
  }

  #send(answer: PlainAnswer, offered: Offered): void {
    const length = answer.json?.length ?? 0;
    if (length > LARGE_CHARACTERS) void this.#sendInTurn(answer, length, offered);
    else this.#write(answer, offered);
  }

  /** Sends a large answer after the requests that other clients sent while it was made. Counts it until then. */
  async #sendInTurn(answer: PlainAnswer, length: number, offered: Offered): Promise<void> {
    const { scheduler, unreadResponses } = this.#options;
    const { outgoing, clientKey, end } = offered;
    const turn = scheduler.waitForTurn(clientKey, true);
    if (turn) {
      const count = unreadResponses.counterFor(clientKey);
      const { update, release } = count(
        () => length,
        () => outgoing.destroy(),
      );
      update();
      end.onEnd(release);
      await turn;
      release();
    }
    this.#write(answer, offered);
  }

  #write(answer: PlainAnswer, { outgoing, clientKey, end }: Offered): void {
    if (outgoing.destroyed) return;
    const { json = '' } = answer;
    const { status, headers } = headOf(answer);
    headers['content-length'] = String(Buffer.byteLength(json));
    outgoing.writeHead(status, headers);
    // Node sends a string and the head in one piece.
    outgoing.end(json);
    if (outgoing.writableLength === 0) return;
    limitReading(outgoing);
    this.#options.unreadResponses.watch(outgoing, clientKey, end);
  }
}

interface Admitted {
  readonly principal: Principal | undefined;
  readonly body: unknown;
  readonly unreadResponses: UnreadResponseLimit;
  readonly sink?: NodeSink;
}

/** What is seldom needed is made when it is read. */
class LaneCall implements LaneRequest {
  readonly headers: NodeHeaders;
  readonly body: unknown;
  readonly origin: RequestOrigin;
  readonly clientKey: ClientKey | undefined;
  readonly principal: Principal | undefined;
  readonly sink: NodeSink | undefined;
  readonly #offered: Offered;
  readonly #unreadResponses: UnreadResponseLimit;
  #request: Request | undefined;

  constructor(offered: Offered, { principal, body, unreadResponses, sink }: Admitted) {
    this.headers = offered.headers;
    this.body = body;
    this.origin = offered.origin;
    this.clientKey = offered.clientKey;
    this.principal = principal;
    this.sink = sink;
    this.#offered = offered;
    this.#unreadResponses = unreadResponses;
  }

  get request(): Request {
    this.#request ??= webRequestOf(this.#offered.incoming, {
      isAuthenticated: this.principal !== undefined,
      onDisconnect: (run) => this.onDisconnect(run),
    });
    return this.#request;
  }

  get closeConnection(): () => void {
    return () => void this.#offered.outgoing.destroy();
  }

  get countUnread(): CountUnread {
    return this.#unreadResponses.counterFor(this.clientKey);
  }

  get isDisconnected(): boolean {
    const { outgoing } = this.#offered;
    return outgoing.destroyed && !outgoing.writableFinished;
  }

  onDisconnect(run: () => void): void {
    const { outgoing, end } = this.#offered;
    end.onEnd(() => outgoing.writableFinished || run());
  }
}

/** Whether a request has no body (RFC 9112 section 6). */
function hasNoBody(headers: IncomingMessage['headers']): boolean {
  return headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
}

/** A request of Express or Connect, whose parsers store a body. */
type MountedMessage = IncomingMessage & { readonly originalUrl?: string; readonly body?: unknown };

/** A web-standard request without its body, and without the access token that authenticated it. */
function webRequestOf(
  { method = 'POST', url = '', headers: { host = 'localhost' }, rawHeaders, socket }: IncomingMessage,
  { isAuthenticated, onDisconnect }: { isAuthenticated: boolean; onDisconnect: LaneRequest['onDisconnect'] },
): Request {
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2)
    headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
  if (isAuthenticated) headers.delete('authorization');
  // The SDK does not understand ranges.
  headers.set('accept', ANSWERS.join(', '));
  const disconnected = new AbortController();
  onDisconnect(() => disconnected.abort());
  const scheme = 'encrypted' in socket ? 'https' : 'http';
  return new Request(`${scheme}://${host}${url}`, { method, headers, signal: disconnected.signal });
}
