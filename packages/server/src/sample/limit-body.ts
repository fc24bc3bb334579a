import type { MiddlewareHandler } from 'hono';

/**
 * Refuses bodies larger than `maxBytes`, and those that do not say how large they are. Reading along is not
 * needed: Node holds a body to what it announced.
 */
export function limitBody(maxBytes: number, refuse: MiddlewareHandler): MiddlewareHandler {
  return (c, next) => {
    const isUnannounced = c.req.header('transfer-encoding') !== undefined;
    const isTooLarge = Number(c.req.header('content-length') ?? 0) > maxBytes;
    return isUnannounced || isTooLarge ? refuse(c, next) : next();
  };
}
