import { z } from 'zod';

/** The figures of the clients for one round of calls. */
export const callFiguresSchema = z.object({
  requests: z.number(),
  seconds: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  /** The CPU time of the clients, in microseconds. */
  clientMicros: z.number(),
  firstFailure: z.string().optional(),
});
export type CallFigures = z.infer<typeof callFiguresSchema>;

/** The figures of the clients for one round of new sessions. */
export const createFiguresSchema = z.object({ sessions: z.number(), seconds: z.number() });
export type CreateFigures = z.infer<typeof createFiguresSchema>;
