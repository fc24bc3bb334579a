import { z } from 'zod';

/** The delays of the server's event loop during the refreshes. */
export const waveOnServerSchema = z.object({
  /** The time between the first and the last due date. */
  dueWithinMs: z.number(),
  /** The time from the first request until all tokens were refreshed. */
  tookMs: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  maxMs: z.number(),
});
export type WaveOnServer = z.infer<typeof waveOnServerSchema>;

/** Counts of the provider. */
export const upstreamSchema = z.object({
  refreshes: z.number(),
  /** The number of invalid refresh tokens, which includes reused ones. */
  refused: z.number(),
  mostAtOnce: z.number(),
});
export type Upstream = z.infer<typeof upstreamSchema>;

/** Counts of the clients. */
export const foregroundSchema = z.object({
  calls: z.number(),
  failed: z.number(),
  firstFailure: z.string().optional(),
});
export type Foreground = z.infer<typeof foregroundSchema>;

/** One run. */
export interface Measurement {
  readonly wave: WaveOnServer;
  readonly upstream: Upstream;
  readonly foreground: Foreground;
}
