import * as oidc from 'openid-client';
import { z } from 'zod';
import type { GrantedTokens } from '../account/refresh/granted-tokens.js';
import { isSecureUrl } from '../secure-url.js';
import { ProviderError, type ProviderFailure } from '../session/provider-failures.js';
import type { Clock } from '../time/clock.js';
import { Secret } from '../vault/secret.js';
import { claimsIn, resourceParameters } from './authorization-request.js';
import { tokenAnswerIn } from './provider-failure.js';
import type { ProviderSettings } from './provider-settings.js';
/** A device authorization response (RFC 8628 section 3.2). */
export interface DeviceAuthorization {
  /** Exchanged for tokens after the user approves the login. */
  readonly deviceCode: Secret;
  /** The user enters it at `verificationUri`. */
  readonly userCode: string;
  readonly verificationUri: string;
  /** On the clock of this process. */
  readonly expiresAtMs: number;
  /** The time between two polls. */
  readonly intervalMs: number;
}

/**
 * The result of a token request of the device flow (RFC 8628 section 3.5).
 *
 * - `pending`: the user has not decided.
 * - `slow_down`: the user has not decided, and the polling interval must grow.
 * - `unavailable`: no usable response; the request may be repeated later.
 * - `refused`: the provider rejected the request.
 * - `not_sent`: it was too late to send the request.
 */
export type DevicePoll =
  | { readonly kind: 'granted'; readonly granted: GrantedTokens }
  | ({ readonly kind: 'pending' | 'slow_down' } & RequestedPause)
  | { readonly kind: 'denied' | 'expired' }
  | { readonly kind: 'not_sent' }
  | { readonly kind: 'unavailable'; readonly failure: ProviderFailure }
  | { readonly kind: 'refused'; readonly failure: ProviderFailure };

/** What the provider demands of the next polls. */
interface RequestedPause {
  /** `Retry-After`: the minimum time until the next poll. */
  readonly retryAfterSeconds?: number | undefined;
  /** The minimum time between two polls from now on (GitHub). */
  readonly intervalSeconds?: number | undefined;
}

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
/** RFC 8628 section 3.2. */
const DEFAULT_INTERVAL_SECONDS = 5;

/** Users and models read both values, so their form is checked. */
const shownSchema = z.object({
  user_code: z.string().regex(/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u),
  verification_uri: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .refine(isSecureUrl),
});

/**
 * Requests a device authorization (RFC 8628 section 3.1).
 * @param claims JSON of claims to request besides the configured ones. Microsoft Entra ID takes them in both requests
 * @throws errors of openid-client; ProviderError if the response is not valid
 */
export async function requestDeviceAuthorization(
  configuration: oidc.Configuration,
  settings: ProviderSettings,
  clock: Clock,
  claims?: string,
): Promise<DeviceAuthorization> {
  const { name, scopes, scopeSeparator, authorizationParams } = settings;
  const parameters = resourceParameters(settings);
  for (const [parameter, value] of Object.entries(authorizationParams)) parameters.set(parameter, value);
  if (claims !== undefined) parameters.set('claims', claimsIn(settings, claims));
  if (scopes.length > 0) parameters.set('scope', scopes.join(scopeSeparator));
  const requestedAtMs = clock.now();
  const response = await oidc.initiateDeviceAuthorization(configuration, parameters);
  const { data: shown, error: cause } = shownSchema.safeParse(response);
  if (!shown) {
    const failure = {
      provider: name,
      step: 'device',
      reason: 'token_answer_invalid',
      outcome: 'refused',
    } as const;
    throw new ProviderError(failure, { cause });
  }
  const { interval = DEFAULT_INTERVAL_SECONDS } = response;
  return {
    deviceCode: Secret.fromString(response.device_code),
    userCode: shown.user_code,
    verificationUri: shown.verification_uri,
    expiresAtMs: requestedAtMs + response.expires_in * 1000,
    intervalMs: Math.max(interval, 1) * 1000,
  };
}

/** Requests the tokens of a device login (RFC 8628 section 3.4) once. @throws errors that {@link devicePollOf} reads */
export function requestDeviceTokens(
  configuration: oidc.Configuration,
  settings: ProviderSettings,
  deviceCode: Secret,
  claims?: string,
): Promise<oidc.TokenEndpointResponse> {
  const parameters = resourceParameters(settings);
  if (claims !== undefined) parameters.set('claims', claimsIn(settings, claims));
  parameters.set('device_code', deviceCode.reveal());
  return oidc.genericGrantRequest(configuration, DEVICE_GRANT, parameters);
}

/** Classifies the error of a token request. */
export function devicePollOf(error: ProviderError): Exclude<DevicePoll, { kind: 'granted' }> {
  const answer = tokenAnswerIn(error);
  const { retryAfterSeconds, intervalSeconds } = answer ?? {};
  // Auth0 sends `slow_down` with this status. The body of a 429 is not read.
  if (answer?.status === 429) return { kind: 'slow_down', retryAfterSeconds };
  switch (answer?.error) {
    case 'authorization_pending':
      return { kind: 'pending', retryAfterSeconds };
    case 'slow_down':
      return { kind: 'slow_down', retryAfterSeconds, intervalSeconds };
    case 'access_denied':
    // Entra ID.
    case 'authorization_declined':
      return { kind: 'denied' };
    case 'expired_token':
      return { kind: 'expired' };
  }
  const { failure } = error;
  return { kind: error.code === 'provider_unavailable' ? 'unavailable' : 'refused', failure };
}
