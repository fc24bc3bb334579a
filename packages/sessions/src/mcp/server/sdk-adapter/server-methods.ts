import { AsyncLocalStorage } from 'node:async_hooks';
import type { McpServer } from '@modelcontextprotocol/server';

/*
 * This folder adapts the server object of the SDK. The SDK has no hooks for what a server with several users needs, so
 * the adapter replaces methods of each server object: to guard handlers and messages against errors in the author's
 * code, to check registrations and the session of a tool call, to note subscriptions, and to run `tools` once in the
 * 2026 era. Only this folder imports this file, which dependency-cruiser enforces.
 */

/** A method, with one signature for all its overloads. */
export type Method = (...given: unknown[]) => unknown;

/** The method of an SDK object. Its arguments are passed on unchanged. */
export function methodOf<T extends object>(object: T, name: keyof T): Method {
  return (object[name] as unknown as Method).bind(object);
}

/** Replaces a method of an SDK object. @param replace gets the method that was there before */
export function replaceMethod<T extends object>(
  object: T,
  name: keyof T,
  replace: (original: Method) => Method,
): void {
  Object.assign(object, { [name]: replace(methodOf(object, name)) });
}

/** The methods of the SDK's server that send a message and reject if that fails. */
export const SENDERS = [
  'request',
  'ping',
  'createMessage',
  'elicitInput',
  'listRoots',
  'sendLoggingMessage',
  'sendResourceUpdated',
  'sendResourceListChanged',
  'sendToolListChanged',
  'sendPromptListChanged',
] as const;

/** The server object that handles the current request. */
export const currentServer: AsyncLocalStorage<McpServer> = new AsyncLocalStorage();
