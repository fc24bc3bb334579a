import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { type BasePath, HEALTH_PATH, pathOf, READY_PATH, wholePathOf } from './base-path.js';
import { ChunkLimit } from './body/body-buffer.js';
import { limitReading } from './connection-limits.js';
import type { HttpEnv } from './http-env.js';
import type { LazyApp } from './lazy-app.js';
import type { HandedOn, PlainLane } from './plain-lane.js';

/** Serves requests of Node's HTTP server. With `next`, serves only requests for the app's own routes. */
type NodeHandler = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;

/**
 * Serves an app to Node's HTTP server. Does not replace the global `Request` and `Response`.
 * @param lane serves what it can before the app. Default: none
 */
export function nodeHandlerOf(app: LazyApp, basePath: BasePath, lane?: PlainLane): NodeHandler {
  const handedOnBy = new WeakMap<IncomingMessage, HandedOn>();
  const listener = getRequestListener(
    (request, { incoming, outgoing }) => {
      const respond = (loaded: Pick<Hono<HttpEnv>, 'fetch'>) => {
        // The adapter does not notice that the client has disconnected before.
        const sent = outgoing.closed ? abortedRequest(request) : request;
        const handedOn = handedOnBy.get(incoming as IncomingMessage);
        return loaded.fetch(sent, { incoming, outgoing, isUnmodified: true, handedOn });
      };
      return app.loaded ? respond(app.loaded) : app.load().then(respond);
    },
    { overrideGlobalObjects: false, hostname: NO_HOST },
  );
  let isOwn: ((request: IncomingMessage) => boolean) | undefined;
  const pipelining = new PipeliningLimit();
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    if (!pipelining.admit(request, response)) return;
    const listen = () => {
      limitReading(response);
      void listener(request, response);
    };
    const isTaken = lane?.serve(request, response, (handedOn) => {
      handedOnBy.set(request, handedOn);
      listen();
    });
    if (!isTaken) listen();
  };
  const serveOwn = (request: IncomingMessage, response: ServerResponse, next: () => void) => {
    if (!app.loaded) {
      void app.load().then(
        () => serveOwn(request, response, next),
        (error: Error) => response.destroy(error),
      );
      return;
    }
    isOwn ??= ownRoutesOf(app.loaded, basePath);
    if (isOwn(request)) serve(request, response);
    else next();
  };
  return (request, response, next) => (next ? serveOwn(request, response, next) : serve(request, response));
}

/**
 * The host of requests without `Host`, which HTTP/1.0 allows: the health checks of HAProxy have none. No server accepts
 * it (RFC 2606 section 2), so the guard refuses everything but health checks.
 */
const NO_HOST = 'host-is-missing.invalid';

/** The request of a client that has disconnected, without its body. The adapter's object cannot be copied. */
function abortedRequest({ url, method, headers }: Request): Request {
  return new Request(url, { method, headers, signal: AbortSignal.abort() });
}

/** Clients, browsers and proxies wait for a response before they send the next request on a connection. */
const MAX_PIPELINED_REQUESTS = 16;

/**
 * Limits the pipelined requests of an HTTP/1 connection (RFC 9112 section 9.3.2). Node reads all requests that fit into
 * 64 KiB and serves them at once, so without a limit few bytes would cause much work.
 */
class PipeliningLimit {
  /**
   * The number of requests of a connection without a response. Weak: a response that waits for an earlier one may not
   * emit `close` when its connection ends.
   */
  readonly #inFlight = new WeakMap<Socket, number>();

  /**
   * Counts a request, and limits what is left of it after the response. Closes the connection if the limit is exceeded.
   * @returns whether to serve the request
   */
  admit(request: IncomingMessage, response: ServerResponse): boolean {
    const { socket, httpVersionMajor } = request;
    if (httpVersionMajor !== 1) {
      response.once('close', () => limitRest(request));
      return true;
    }
    if (socket.destroyed) return false;
    const count = (this.#inFlight.get(socket) ?? 0) + 1;
    if (count > MAX_PIPELINED_REQUESTS) {
      socket.destroy();
      return false;
    }
    this.#inFlight.set(socket, count);
    response.once('close', () => {
      this.#inFlight.set(socket, (this.#inFlight.get(socket) ?? 1) - 1);
      limitRest(request);
    });
    return true;
  }
}

/**
 * Limits the rest of a body after the response. The adapter reads the rest for a while, so that the client receives the
 * response. Clients send no such rest with a GET or HEAD, so that ends the connection.
 */
function limitRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  if (request.method === 'GET' || request.method === 'HEAD') {
    request.socket.destroy();
    return;
  }
  const chunks = new ChunkLimit();
  request.on('data', (chunk: Buffer) => {
    if (chunks.add(chunk.length)) request.socket.destroy();
  });
}

/** Returns a predicate that tells whether an app has a route for a request, whatever the method. */
function ownRoutesOf(
  app: Pick<Hono<HttpEnv>, 'routes'>,
  base: BasePath,
): (request: IncomingMessage) => boolean {
  const paths = app.routes.map(({ path }) => path).filter((path) => !path.endsWith('*'));
  const patterns = [...new Set(paths)]
    .filter((path) => path !== HEALTH_PATH && path !== READY_PATH)
    .map(patternOf);
  const isRoute = (path: string | undefined) =>
    path !== undefined && patterns.some((pattern) => pattern.test(path));
  return (request) => {
    const whole = wholePathOf(request) ?? '';
    const path = pathOf(request.url ?? '');
    // Also serves a request through a wrong mount: the response names the mistake.
    return isRoute(base.within(whole)) || (path !== whole && isRoute(path));
  };
}

/** Routes consist of literal segments and of parameters, such as `/connect/:attempt`. */
function patternOf(route: string): RegExp {
  return new RegExp(`^${route.replaceAll('.', '\\.').replaceAll(/:[^/]+/g, '[^/]+')}$`);
}
