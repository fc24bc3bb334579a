import { z } from 'zod';
import { parseOptions } from '../parse-options.js';
import type { CloseOptions, ListenOptions, ServeStdioOptions } from './options.js';

const listenSchema = z.strictObject({
  port: z.int().min(0).max(65_535).optional(),
  host: z.string().min(1).optional(),
  keepAliveMs: z.number().optional(),
} satisfies Record<keyof ListenOptions, z.ZodType>);

const serveStdioSchema = z.strictObject({
  openBrowser: z.boolean().optional(),
  callbackPort: z.int().min(1).max(65_535).optional(),
  callbackHost: z.enum(['127.0.0.1', 'localhost']).optional(),
} satisfies Record<keyof ServeStdioOptions, z.ZodType>);

const closeSchema = z.strictObject({
  drainMs: z.number().nonnegative().optional(),
} satisfies Record<keyof CloseOptions, z.ZodType>);

/** @throws SessionError `configuration`, naming what is invalid */
export function listenOptions(options: ListenOptions = {}): ListenOptions {
  return parseOptions(listenSchema, options, 'The options of `listen` are invalid');
}

/** @throws SessionError `configuration`, naming what is invalid */
export function serveStdioOptions(options: ServeStdioOptions = {}): ServeStdioOptions {
  return parseOptions(serveStdioSchema, options, 'The options of `serveStdio` are invalid');
}

/**
 * As a listener of `SIGTERM`, `close` is called with the name of the signal, which is not an option.
 * @throws SessionError `configuration`, naming what is invalid
 */
export function closeOptions(options: CloseOptions | string = {}): CloseOptions {
  if (typeof options === 'string') return {};
  return parseOptions(closeSchema, options, 'The options of `close` are invalid');
}
