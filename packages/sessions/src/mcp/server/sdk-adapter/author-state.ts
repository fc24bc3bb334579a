import type { McpServer } from '@modelcontextprotocol/server';
import { replaceMethod } from './server-methods.js';

const CONFIGURING = [
  'setRequestHandler',
  'removeRequestHandler',
  'setNotificationHandler',
  'removeNotificationHandler',
] as const;
/** The methods of the beginning of a connection. Their handlers know each client. */
const BEGINNING: readonly unknown[] = ['initialize', 'notifications/initialized'];
/** Callbacks that run once for each client. */
const CALLBACKS = ['oninitialized', 'onclose'] as const;
/** Handlers that are properties. */
const ASSIGNED = ['fallbackRequestHandler', 'fallbackNotificationHandler', 'onerror'] as const;

/**
 * What the author keeps in the server object of one client: changes after `tools` has run, and callbacks for the
 * beginning and the end of its connection. Another server object would not have them.
 */
export class AuthorState {
  #mcp: McpServer | undefined;
  /** The assigned handlers that `tools` has left; absent until it has run. */
  #assigned: readonly unknown[] | undefined;
  #hasChanged = false;

  /** Follows the handlers of a server object. */
  follow(mcp: McpServer): void {
    this.#mcp = mcp;
    for (const name of CONFIGURING) {
      replaceMethod(mcp.server, name, (configure) => (...given) => {
        if (BEGINNING.includes(given[0])) this.#hasChanged = true;
        else this.changed();
        return configure(...given);
      });
    }
  }

  /** Whether there is any. */
  get exists(): boolean {
    return (
      this.#hasChanged ||
      CALLBACKS.some((name) => this.#mcp?.server[name] !== undefined) ||
      this.#assignedNow().some((handler, at) => handler !== this.#assigned?.[at])
    );
  }

  /** Notes that `tools` has run. */
  begin(): void {
    this.#assigned = this.#assignedNow();
  }

  /** Notes a change. */
  changed(): void {
    this.#hasChanged ||= this.#assigned !== undefined;
  }

  #assignedNow(): unknown[] {
    return ASSIGNED.map((name) => this.#mcp?.server[name]);
  }
}
