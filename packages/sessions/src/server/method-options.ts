import { z } from 'zod';
import { parseOptions } from '../parse-options.js';
import type { CloseOptions, ListenOptions, ServeStdioOptions } from './options.js';

/** The methods check the values themselves. */
const value = z.any().optional();

const listenSchema = z.strictObject({
  port: value,
  host: value,
  keepAliveMs: value,
} satisfies Record<keyof ListenOptions, z.ZodType>);

const serveStdioSchema = z.strictObject({
  openBrowser: value,
} satisfies Record<keyof ServeStdioOptions, z.ZodType>);

const closeSchema = z.strictObject({
  drainMs: value,
} satisfies Record<keyof CloseOptions, z.ZodType>);

/** @throws SessionError `configuration`, naming an unknown option */
export function listenOptions(options: ListenOptions = {}): ListenOptions {
  return parseOptions(listenSchema, options, 'The options of `listen` are invalid');
}

/** @throws SessionError `configuration`, naming an unknown option */
export function serveStdioOptions(options: ServeStdioOptions = {}): ServeStdioOptions {
  return parseOptions(serveStdioSchema, options, 'The options of `serveStdio` are invalid');
}

/**
 * As a listener of `SIGTERM`, `close` is called with the name of the signal, which is not an option.
 * @throws SessionError `configuration`, naming an unknown option
 */
export function closeOptions(options: CloseOptions | string = {}): CloseOptions {
  if (typeof options === 'string') return {};
  return parseOptions(closeSchema, options, 'The options of `close` are invalid');
}
