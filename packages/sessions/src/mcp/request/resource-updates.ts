import type { SessionRef } from '../../session/ids.js';

/** @param session the session whose clients are notified; `undefined`: all sessions */
export type ResourceUpdateListener = (uri: string, session: SessionRef | undefined) => void;

/** Passes changes of resources on to the connections and streams of both eras. */
export class ResourceUpdates {
  readonly #listeners: ResourceUpdateListener[] = [];

  /** @param listener called for each change; it notifies the clients that have subscribed to the resource */
  subscribe(listener: ResourceUpdateListener): void {
    this.#listeners.push(listener);
  }

  notify(uri: string, session?: SessionRef): void {
    for (const listener of this.#listeners) listener(uri, session);
  }
}
