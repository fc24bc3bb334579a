import type { Principal, RequestOrigin } from '../../access/access.js';
import type { ClientKey } from '../../limits/client-key.js';
import type { Operation } from '../../telemetry/operation.js';
import type { EventSink } from '../wire/event-sink.js';
import type { CountUnread } from '../wire/sse-stream.js';

/** A request to the MCP endpoint, and what HTTP knows about its client. */
export interface McpRequest {
  readonly request: Request;
  /** The parsed body of a POST. */
  readonly body: unknown;
  readonly origin: RequestOrigin;
  /** The client address that the request counts for. Absent for local clients and for unknown addresses. */
  readonly clientKey: ClientKey | undefined;
  /** The authenticated caller. Absent in open access. */
  readonly principal: Principal | undefined;
  /** Closes the connection of the request, where the server can do that. */
  readonly closeConnection: (() => void) | undefined;
  /** Counts the unread bytes of the client. Default: not counted. */
  readonly countUnread?: CountUnread | undefined;
  /** Measures how the request is served. Absent without telemetry. */
  operation?: Operation | undefined;
}

/** Whether the client of a request has disconnected before it had its answer. */
export function hasDisconnected(incoming: McpRequest | PlainRequest): boolean {
  return isPlainRequest(incoming) ? incoming.isDisconnected : incoming.request.signal.aborted;
}

/** Whether a request is one of the plain lane, whose `request` is made when it is read. */
export function isPlainRequest(incoming: McpRequest | PlainRequest): incoming is PlainRequest {
  return 'headers' in incoming;
}

/** A request whose client has sent it plainly, and gets a plain answer, if there is one. */
export interface PlainRequest extends McpRequest {
  /** Made when it is read. */
  readonly request: Request;
  readonly headers: { get(name: string): string | null };
  readonly isDisconnected: boolean;
  /** Carries the events of a GET. Absent: the request is a POST. */
  readonly sink?: EventSink | undefined;
  /** Calls a function if the client disconnects before it has its answer. */
  onDisconnect(run: () => void): void;
}
