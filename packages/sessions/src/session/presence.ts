import type { SessionRef } from './ids.js';

/** The open streams and requests of a client, which show whether it is present. */
export interface Presence {
  /** The number of open standalone and listen streams whose client answers pings. */
  readonly openStreams: number;
  /** The number of requests in flight. */
  readonly requests: number;
  /** When the last stream or request ended. */
  readonly presentUntilMs?: number | undefined;
  /** When the client disconnected: it closed its last stream, or said so. */
  readonly disconnectedAtMs?: number | undefined;
}

/** The side that closed a stream or ended a request: the server by answering, the client by disconnecting. */
export type StreamCloser = 'client' | 'server';

const ABSENT: Presence = { openStreams: 0, requests: 0 };

/** Whether a client is present. */
export function isPresent({ openStreams, requests }: Presence): boolean {
  return openStreams > 0 || requests > 0;
}

/** Counts the streams and the requests that are open for each session on this node. */
export class SessionPresence {
  readonly #entries = new Map<SessionRef, Presence>();

  of(ref: SessionRef): Presence {
    return this.#entries.get(ref) ?? ABSENT;
  }

  streamOpened(ref: SessionRef): void {
    const { openStreams, requests } = this.of(ref);
    this.#entries.set(ref, { openStreams: openStreams + 1, requests });
  }

  streamClosed(ref: SessionRef, by: StreamCloser, atMs: number): void {
    const { openStreams, requests } = this.of(ref);
    if (openStreams === 0) return;
    const hasDisconnected = openStreams === 1 && by === 'client';
    this.#entries.set(ref, {
      openStreams: openStreams - 1,
      requests,
      presentUntilMs: atMs,
      disconnectedAtMs: hasDisconnected ? atMs : undefined,
    });
  }

  requestBegan(ref: SessionRef): void {
    const presence = this.of(ref);
    this.#entries.set(ref, { ...presence, requests: presence.requests + 1 });
  }

  /** Notes the end of a request. An answered client is present, even if its streams have closed. */
  requestEnded(ref: SessionRef, by: StreamCloser, atMs: number): void {
    const presence = this.of(ref);
    if (presence.requests === 0) return;
    this.#entries.set(ref, {
      openStreams: presence.openStreams,
      requests: presence.requests - 1,
      presentUntilMs: atMs,
      disconnectedAtMs: by === 'client' ? presence.disconnectedAtMs : undefined,
    });
  }

  /** Notes that a client has disconnected, unless it has a stream open. */
  clientLeft(ref: SessionRef, atMs: number): void {
    const presence = this.of(ref);
    if (presence.openStreams === 0) this.#entries.set(ref, { ...presence, disconnectedAtMs: atMs });
  }

  forget(ref: SessionRef): void {
    this.#entries.delete(ref);
  }
}
