import type { ServerOptions } from 'node:http';

/** The maximum size of a request body. */
export const MAX_BODY_BYTES: number = 1024 * 1024;
/** The maximum size of a form. */
export const MAX_FORM_BYTES: number = 16 * 1024;
/** The maximum nesting depth of the JSON of a request. */
export const MAX_JSON_DEPTH = 32;
/**
 * The maximum number of array elements and object keys in a request or notification, without those inside the arguments
 * of a tool call. The protocol's schemas take up to 5 µs for each of them.
 */
export const MAX_MESSAGE_ELEMENTS = 400;
/**
 * The same for a batch, and for a response, such as a list of roots. A batch of 100 tool calls, the maximum, has about
 * 1,000.
 */
export const MAX_JSON_ELEMENTS = 1200;
/**
 * The maximum length of a string that a message or its `params` contain directly, in bytes: of a URI, a cursor or a
 * request state. Strings in tool arguments and results are bounded by the body only.
 */
export const MAX_OUTER_STRING_BYTES: number = 64 * 1024;

/**
 * How long a connection is kept between requests, in milliseconds. Most load balancers and clients close idle
 * connections after at most 60 seconds. If the server closed first, a request sent at that moment would fail.
 */
export const KEEP_ALIVE_MS = 65_000;

/**
 * Options for `http.createServer`, so that slow clients do not block connections: headers of at most 16 KiB within 10
 * seconds, and a request within 30 seconds of its first byte. Between requests a connection is kept for 65 seconds.
 */
export const nodeServerOptions: Readonly<ServerOptions> = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: KEEP_ALIVE_MS,
  connectionsCheckingInterval: 5_000,
};

/** The connection of a client that reads nothing of a waiting response is closed after once to twice this time. */
export const READ_TIMEOUT_MS = 15_000;
