import * as oidc from 'openid-client';
import type { Secret } from '../vault/secret.js';
import { digestOf } from '../vault/secret-digest.js';
import type { ProviderSettings } from './provider-settings.js';
import { metadataOf } from './server-metadata.js';

/** Values that bind an authorization response to its request. */
export interface AuthorizationChecks {
  readonly state: Secret;
  readonly nonce: Secret;
  readonly codeVerifier: Secret;
}

/** How a login differs from the configured one. */
export interface AuthorizationDifferences {
  /** The scopes to request. Default: the configured ones. */
  readonly scopes?: readonly string[] | undefined;
  /**
   * JSON of claims (OpenID Connect Core section 5.5) to request besides those of `authorizationParams`. Default: none.
   */
  readonly claims?: string | undefined;
  /**
   * What the provider asks the user for, unless `authorizationParams` has a `prompt`. Default: the provider decides.
   */
  readonly prompt?: 'consent' | 'login' | undefined;
}

/** What a login requests. */
interface AuthorizationRequest extends AuthorizationDifferences {
  readonly redirectUri: URL;
  readonly checks: AuthorizationChecks;
  readonly scopes: readonly string[];
}

/** Whether a login sends its request to the provider directly (PAR, RFC 9126). */
export function isPushed(configuration: oidc.Configuration, settings: ProviderSettings): boolean {
  const { require_pushed_authorization_requests: isRequired } = metadataOf(configuration);
  return settings.pushedAuthorization ?? isRequired === true;
}

/** Creates the authorization URL of a login. With PAR, this sends a request. */
export async function authorizationUrl(
  configuration: oidc.Configuration,
  settings: ProviderSettings,
  request: AuthorizationRequest,
): Promise<URL> {
  const parameters = parametersOf(settings, request);
  return isPushed(configuration, settings)
    ? oidc.buildAuthorizationUrlWithPAR(configuration, parameters)
    : oidc.buildAuthorizationUrl(configuration, parameters);
}

function parametersOf(
  settings: ProviderSettings,
  { redirectUri, checks, scopes, claims, prompt }: AuthorizationRequest,
): URLSearchParams {
  const { authorizationParams, nonce, pkce, responseMode, scopeParameter, scopeSeparator } = settings;
  const parameters = resourceParameters(settings);
  if (prompt) parameters.set('prompt', prompt);
  for (const [name, value] of Object.entries(authorizationParams)) parameters.set(name, value);
  if (claims !== undefined) parameters.set('claims', claimsIn(settings, claims));
  parameters.set('redirect_uri', redirectUri.href);
  if (scopes.length > 0) parameters.set(scopeParameter, scopes.join(scopeSeparator));
  parameters.set('state', checks.state.reveal());
  if (nonce === 'required' && scopes.includes('openid')) parameters.set('nonce', checks.nonce.reveal());
  if (responseMode !== 'query') parameters.set('response_mode', responseMode);
  if (pkce !== 'off') {
    // S256 of RFC 7636 section 4.2. That of openid-client goes through a thread.
    parameters.set('code_challenge', digestOf(checks.codeVerifier.reveal()));
    parameters.set('code_challenge_method', 'S256');
  }
  return parameters;
}

/** The parameters of RFC 8707, which authorization and token requests have. */
export function resourceParameters({ resource }: ProviderSettings): URLSearchParams {
  return new URLSearchParams(resource.map((uri) => ['resource', uri]));
}

/** The claims that the options request, and those that an API demands, which apply where both differ. */
export function claimsIn({ authorizationParams }: ProviderSettings, demanded: string): string {
  return JSON.stringify(merged(parse(authorizationParams.claims ?? '{}'), parse(demanded)) ?? {});
}

function merged(into: unknown, from: unknown): unknown {
  if (!isObject(into) || !isObject(from)) return from === undefined ? into : from;
  const names = new Set([...Object.keys(into), ...Object.keys(from)]);
  // `fromEntries` defines properties, so that none can be the prototype.
  return Object.fromEntries([...names].map((name) => [name, merged(ownOf(into, name), ownOf(from, name))]));
}

function ownOf(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
