import { z } from 'zod';

/** The sample's identity provider, and the client registration of both servers. */
export const upstreamSchema = z.object({
  issuer: z.string(),
  clientId: z.string(),
  clientSecret: z.string(),
  resource: z.string(),
});
export type Upstream = z.infer<typeof upstreamSchema>;

/** `notes` requests an opaque access token for the resource. */
export const SCOPES: readonly string[] = ['openid', 'profile', 'notes'];
