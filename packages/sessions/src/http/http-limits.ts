import type { ServerOptions } from 'node:http';

/** The largest body of a request. */
export const MAX_BODY_BYTES: number = 1024 * 1024;
/** The largest body of a form. */
export const MAX_FORM_BYTES: number = 16 * 1024;
/** How deep the JSON of a request may be nested. */
export const MAX_JSON_DEPTH = 32;
/**
 * How many array elements and object keys the JSON of a request may have in all, besides those inside of an argument
 * of a tool call. The protocol's schemas spend up to 8 µs on each of them before anything is known of the request;
 * a batch of 100 messages, the most there may be in one, has about half as many.
 */
export const MAX_JSON_ELEMENTS = 2000;

/**
 * How long a connection is kept for the next request. Longer than load balancers and clients keep theirs: most close
 * after 60 seconds at the latest, and a connection that the server closes first fails the request that is on its way.
 */
export const KEEP_ALIVE_MS = 65_000;

/**
 * What a Node server in front of `nodeHandler` should be created with, so that slow clients do not hold its
 * connections: headers of 16 KiB at most, received within 10 seconds, and a request received within 30. Between
 * requests a connection is kept for 65 seconds; the other limits count from the first byte of a request.
 */
export const nodeServerOptions: Readonly<ServerOptions> = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: KEEP_ALIVE_MS,
  connectionsCheckingInterval: 5_000,
};

/** A client that reads nothing of an answer that is waiting for it is cut off between once and twice this. */
export const UNREAD_PATIENCE_MS = 15_000;
