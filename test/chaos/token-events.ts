import { z } from 'zod';

const tokenEventSchema = z.discriminatedUnion('kind', [
  /** A code was exchanged. */
  z.object({
    kind: z.literal('login'),
    grant: z.string(),
    user: z.string(),
    node: z.string(),
    atMs: z.number(),
  }),
  /** A refresh token was presented. */
  z.object({
    kind: z.literal('refresh'),
    grant: z.string(),
    user: z.string(),
    /** A digest of the refresh token. */
    sent: z.string(),
    isGranted: z.boolean(),
    node: z.string(),
    atMs: z.number(),
  }),
  /** The API has accepted an access token for the first time. */
  z.object({ kind: z.literal('use'), grant: z.string(), user: z.string(), atMs: z.number() }),
]);

/** What the provider and the API saw of tokens, in order. `node` is the server that sent the request. */
export type TokenEvent = z.infer<typeof tokenEventSchema>;
export type Refresh = Extract<TokenEvent, { kind: 'refresh' }>;

/** What the process of the provider sends to its parent. */
export const providerMessageSchema = z.union([
  z.object({ issuer: z.string(), api: z.string() }),
  z.object({ event: tokenEventSchema }),
]);
export type ProviderMessage = z.infer<typeof providerMessageSchema>;

export const providerSettingsSchema = z.object({
  /** What every token begins with, so that a search finds all of them. */
  canary: z.string(),
  accessTokenSeconds: z.number(),
  client: z.object({ clientId: z.string(), clientSecret: z.string() }),
});
export type ProviderSettings = z.infer<typeof providerSettingsSchema>;
