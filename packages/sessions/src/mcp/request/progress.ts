import type { ServerContext } from '@modelcontextprotocol/server';
import type { Clock } from '../../time/clock.js';

/** Short enough for clients that extend their timeout with each progress notification. */
const EVERY_MS = 5000;

/** What a call waits for. */
export interface Waiting {
  readonly message: string;
  /** When the first round of the call began to wait. */
  readonly sinceMs: number;
}

/**
 * Runs `wait`, and sends progress to a client that has asked for it (MCP basic/utilities/progress): at once, and every
 * five seconds. The progress is the number of seconds waited. There is no total.
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
    // The signal of the call aborts when its client disconnects.
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
