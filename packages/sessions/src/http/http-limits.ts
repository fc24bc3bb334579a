import type { ServerOptions } from 'node:http';

/** The largest body of a request. */
export const MAX_BODY_BYTES: number = 1024 * 1024;
/** The largest body of a form. */
export const MAX_FORM_BYTES: number = 16 * 1024;
/** How deep the JSON of a request may be nested. */
export const MAX_JSON_DEPTH = 32;

/**
 * What a Node server in front of `nodeHandler` should be created with, so that slow clients do not hold its
 * connections: headers of 16 KiB at most, received within 10 seconds, and a request received within 30.
 */
export const nodeServerOptions: Readonly<ServerOptions> = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
};

/** A client that reads nothing of an answer that is waiting for it is cut off between once and twice this. */
export const UNREAD_PATIENCE_MS = 15_000;
