import type { SessionRef } from './ids.js';

/** Whether a client is there, as far as its streams and its requests tell. */
export interface Presence {
  /** Its streams that wait for what comes, and on which it shows that it reads them. */
  readonly openStreams: number;
  /** Its requests that wait for their answers. */
  readonly requests: number;
  /** Until when it had a stream or a request. */
  readonly presentUntilMs?: number | undefined;
  /** When it went away: its last stream was closed, and not by this server, or it said so. */
  readonly disconnectedAtMs?: number | undefined;
}

/** Who closed a stream, or ended a request: the server by its answer, the client by going away. */
export type StreamCloser = 'client' | 'server';

const ABSENT: Presence = { openStreams: 0, requests: 0 };

/** Whether a client is there. */
export function isPresent({ openStreams, requests }: Presence): boolean {
  return openStreams > 0 || requests > 0;
}

/** Counts the streams and the requests that are open for each session on this node. */
export class PresenceBook {
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
    const isGone = openStreams === 1 && by === 'client';
    this.#entries.set(ref, {
      openStreams: openStreams - 1,
      requests,
      presentUntilMs: atMs,
      disconnectedAtMs: isGone ? atMs : undefined,
    });
  }

  requestBegan(ref: SessionRef): void {
    const presence = this.of(ref);
    this.#entries.set(ref, { ...presence, requests: presence.requests + 1 });
  }

  /** A client that got its answer was there, whatever had become of its streams. */
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

  /** Notes that a client has gone, if it has no stream open that says otherwise. */
  left(ref: SessionRef, atMs: number): void {
    const presence = this.of(ref);
    if (presence.openStreams === 0) this.#entries.set(ref, { ...presence, disconnectedAtMs: atMs });
  }

  forget(ref: SessionRef): void {
    this.#entries.delete(ref);
  }
}
