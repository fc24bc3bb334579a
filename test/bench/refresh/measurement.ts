import { z } from 'zod';

/** What the server's event loop had to bear while all refreshed. */
export const waveOnServerSchema = z.object({
  /** How far apart the first and the last of them was due. */
  dueWithinMs: z.number(),
  /** From the first request until all were fresh. */
  tookMs: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  maxMs: z.number(),
});
export type WaveOnServer = z.infer<typeof waveOnServerSchema>;

/** What the provider saw. */
export const upstreamSchema = z.object({
  refreshes: z.number(),
  /** Refresh tokens that were not good, as any is that is used twice. */
  refused: z.number(),
  mostAtOnce: z.number(),
});
export type Upstream = z.infer<typeof upstreamSchema>;

/** What the clients saw. */
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
