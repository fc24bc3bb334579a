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

/** A client of which nothing is known. */
export const ABSENT: Presence = { openStreams: 0, requests: 0 };

/** Whether a client is present. */
export function isPresent({ openStreams, requests }: Presence): boolean {
  return openStreams > 0 || requests > 0;
}

/** The presence after a stream has opened. */
export function streamOpened({ openStreams, requests }: Presence): Presence {
  return { openStreams: openStreams + 1, requests };
}

/** The presence after a stream has closed. */
export function streamClosed(presence: Presence, by: StreamCloser, atMs: number): Presence {
  const { openStreams, requests } = presence;
  if (openStreams === 0) return presence;
  const hasDisconnected = openStreams === 1 && by === 'client';
  return {
    openStreams: openStreams - 1,
    requests,
    presentUntilMs: atMs,
    disconnectedAtMs: hasDisconnected ? atMs : undefined,
  };
}

/** The presence after a request has begun. */
export function requestBegan(presence: Presence): Presence {
  return { ...presence, requests: presence.requests + 1 };
}

/** The presence after a request has ended. An answered client is present, even if its streams have closed. */
export function requestEnded(presence: Presence, by: StreamCloser, atMs: number): Presence {
  const { openStreams, requests, disconnectedAtMs } = presence;
  if (requests === 0) return presence;
  return {
    openStreams,
    requests: requests - 1,
    presentUntilMs: atMs,
    disconnectedAtMs: by === 'client' ? disconnectedAtMs : undefined,
  };
}

/** The presence after a client has disconnected, unless it has a stream open. */
export function clientLeft(presence: Presence, atMs: number): Presence {
  return presence.openStreams === 0 ? { ...presence, disconnectedAtMs: atMs } : presence;
}
