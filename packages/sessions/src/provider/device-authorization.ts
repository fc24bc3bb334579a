import * as oidc from 'openid-client';
import { z } from 'zod';
import type { GrantedTokens } from '../account/refresh/granted-tokens.js';
import { SessionError } from '../errors.js';
import { isSecureUrl } from '../secure-url.js';
import type { Clock } from '../time/clock.js';
import { Secret } from '../vault/secret.js';
import { providerFailure, tokenAnswerIn } from './provider-failure.js';
import type { ProviderSettings } from './provider-options.js';

/** A login that a user can approve at the provider, by a code (RFC 8628 section 3.2). */
export interface DeviceAuthorization {
  /** Exchanged for tokens once the user has approved. */
  readonly deviceCode: Secret;
  /** The user types it in at `verificationUri`. */
  readonly userCode: string;
  readonly verificationUri: string;
  /** On the clock of this process. */
  readonly expiresAtMs: number;
  /** How long to wait between two polls. */
  readonly intervalMs: number;
}

/**
 * What the provider says when it is asked for the tokens of a device login (RFC 8628 section 3.5).
 *
 * - `pending`: the user has not decided yet.
 * - `slow_down`: the same, and it is asked too often.
 * - `unavailable`: no answer, or none to go by; it may be asked again, with more patience.
 */
export type DevicePoll =
  | { readonly kind: 'granted'; readonly granted: GrantedTokens }
  | { readonly kind: 'pending' | 'slow_down' | 'denied' | 'expired' }
  | { readonly kind: 'unavailable'; readonly retryAfterSeconds: number | undefined }
  | { readonly kind: 'refused' };

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
/** RFC 8628 section 3.2. */
const DEFAULT_INTERVAL_SECONDS = 5;

/** Both are shown to users and models, so they have to look like what they are. */
const shownSchema = z.object({
  user_code: z.string().regex(/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u),
  verification_uri: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .refine(isSecureUrl),
});

/**
 * Asks for a code for the user (RFC 8628 section 3.1).
 * @throws SessionError `provider_unavailable`, `provider_refused`
 */
export async function requestDeviceAuthorization(
  configuration: oidc.Configuration,
  { name, scopes, authorizationParams }: ProviderSettings,
  clock: Clock,
): Promise<DeviceAuthorization> {
  const parameters = { ...authorizationParams, scope: scopes.join(' ') };
  const requestedAtMs = clock.now();
  const response = await oidc
    .initiateDeviceAuthorization(configuration, parameters)
    .catch((cause: unknown) => {
      const { kind } = providerFailure(cause);
      throw kind === 'unavailable' || kind === 'lost' ? unreachable(name, cause) : refusal(name, cause);
    });
  const { data: shown, error } = shownSchema.safeParse(response);
  if (!shown) throw refusal(name, error);
  const { interval = DEFAULT_INTERVAL_SECONDS } = response;
  return {
    deviceCode: Secret.fromString(response.device_code),
    userCode: shown.user_code,
    verificationUri: shown.verification_uri,
    expiresAtMs: requestedAtMs + response.expires_in * 1000,
    intervalMs: Math.max(interval, 1) * 1000,
  };
}

/** Asks for the tokens of a device login (RFC 8628 section 3.4), once. @throws {@link devicePollOf} reads it */
export function requestDeviceTokens(
  configuration: oidc.Configuration,
  deviceCode: Secret,
): Promise<oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers> {
  return oidc.genericGrantRequest(configuration, DEVICE_GRANT, { device_code: deviceCode.reveal() });
}

/** Reads why there are no tokens. */
export function devicePollOf(error: unknown): Exclude<DevicePoll, { kind: 'granted' }> {
  const answer = tokenAnswerIn(error);
  // Some say `slow_down` with that status (Auth0), whose body is not read.
  if (answer?.status === 429) return { kind: 'slow_down' };
  switch (answer?.error) {
    case 'authorization_pending':
      return { kind: 'pending' };
    case 'slow_down':
      return { kind: 'slow_down' };
    case 'access_denied':
    // Entra ID.
    case 'authorization_declined':
      return { kind: 'denied' };
    case 'expired_token':
      return { kind: 'expired' };
  }
  if (error instanceof SessionError) {
    const { code, retryAfterSeconds } = error;
    return code === 'provider_unavailable' ? { kind: 'unavailable', retryAfterSeconds } : { kind: 'refused' };
  }
  const { kind, retryAfterSeconds } = providerFailure(error);
  return kind === 'unavailable' || kind === 'lost'
    ? { kind: 'unavailable', retryAfterSeconds }
    : { kind: 'refused' };
}

function unreachable(name: string, cause: unknown): SessionError {
  return new SessionError(
    'provider_unavailable',
    `The identity provider "${name}" gives out no codes now. Try again in a minute; if it stays so, tell the operator of this server.`,
    { cause, retryAfterSeconds: 60 },
  );
}

function refusal(name: string, cause: unknown): SessionError {
  return new SessionError(
    'provider_refused',
    `The identity provider "${name}" refuses to give out a code, or its answer cannot be used. Tell the operator of this server.`,
    { cause },
  );
}
