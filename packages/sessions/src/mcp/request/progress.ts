import type { ServerContext } from '@modelcontextprotocol/server';
import type { Clock } from '../../time/clock.js';

/** Often enough for whoever watches, and for clients that wait longer while there is progress. */
const EVERY_MS = 5000;

/** What a call waits for, and since when. */
export interface Waiting {
  readonly message: string;
  /** Rounds of one call go on counting where the last one stopped. */
  readonly sinceMs: number;
}

/**
 * Runs `wait`, and tells a client that asked for progress with its call (MCP basic/utilities/progress) what it is
 * waiting for: at once, and every five seconds. The progress is the seconds waited; how many it will be, nobody knows.
 */
export async function withProgress<T>(
  { mcpReq }: ServerContext,
  clock: Clock,
  { message, sinceMs }: Waiting,
  wait: () => Promise<T>,
): Promise<T> {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return wait();
  let cancel: () => void = () => undefined;
  const tell = () => {
    const progress = Math.round((clock.now() - sinceMs) / 1000);
    const params = { progressToken, progress, message };
    // A client that is gone ends the call by its signal.
    mcpReq.notify({ method: 'notifications/progress', params }).catch(() => undefined);
    cancel = clock.after(EVERY_MS, tell);
  };
  tell();
  try {
    return await wait();
  } finally {
    cancel();
  }
}
