import * as oidc from 'openid-client';
import { z } from 'zod';
import type { Identity } from '../account/refresh/granted-tokens.js';
import { SessionError } from '../errors.js';
import { readLimitedText, TooLargeError } from '../limits/read-limited-text.js';
import type { ProviderSettings } from './provider-settings.js';
import { retryAfterSecondsOf } from './token-answers.js';

const MAX_BYTES = 256 * 1024;
const RETRY_AFTER_SECONDS = 60;

const userInfoSchema = z.record(z.string(), z.unknown());

/**
 * Requests the user info of an access token (OpenID Connect Core section 5.3).
 * @throws SessionError `provider_unavailable`, `provider_refused`; and what openid-client throws
 */
export async function userInfo(
  configuration: oidc.Configuration,
  accessToken: string,
  settings: ProviderSettings,
): Promise<Identity> {
  const { name } = settings;
  const endpoint = configuration.serverMetadata().userinfo_endpoint;
  if (!endpoint) throw unidentified(name, 'it has no user info endpoint', 'add the scope `openid`');
  const text = await requestUserInfo(new URL(endpoint), configuration, accessToken, name);
  const { data: info } = userInfoSchema.safeParse(parseJson(text));
  const { subject: subjectField = 'sub', name: nameField } = settings.identityFields ?? {};
  const subject = info && textOf(info[subjectField]);
  if (!info || subject === undefined)
    throw unidentified(name, `its user info has no "${subjectField}"`, 'set `identityFields`');
  return { subject, name: textOf(nameField === undefined ? nameIn(info) : info[nameField]) };
}

/** The user whom an ID token identifies. */
export function identityOf(claims: oidc.IDToken): Identity {
  return { subject: claims.sub, name: textOf(nameIn(claims)) };
}

async function requestUserInfo(
  endpoint: URL,
  configuration: oidc.Configuration,
  accessToken: string,
  name: string,
): Promise<string> {
  try {
    const response = await oidc.fetchProtectedResource(configuration, accessToken, endpoint, 'GET');
    if (!response.ok) throw badStatus(response, name);
    return await readLimitedText(response, MAX_BYTES);
  } catch (error) {
    if (error instanceof oidc.WWWAuthenticateChallengeError) throw badStatus(error.response, name);
    // openid-client wraps errors of the connection.
    const cause = error instanceof oidc.ClientError ? error.cause : error;
    if (cause instanceof TooLargeError)
      throw unidentified(name, `its user info is larger than ${MAX_BYTES} bytes`);
    throw error;
  }
}

function badStatus(response: Response, name: string): SessionError {
  const { status } = response;
  void response.body?.cancel().catch(() => undefined);
  if (status === 429 || status >= 500) {
    return new SessionError(
      'provider_unavailable',
      `The identity provider "${name}" cannot identify the user now. Log in again in a minute. If that fails, contact the operator of this server.`,
      { retryAfterSeconds: retryAfterSecondsOf(response) ?? RETRY_AFTER_SECONDS },
    );
  }
  if (status === 401 || status === 403)
    return unidentified(name, 'its user info endpoint rejected the access token', 'check `scopes`');
  return unidentified(
    name,
    `its user info endpoint responded ${status}`,
    'check the address of that endpoint',
  );
}

function unidentified(
  name: string,
  reason: string,
  whatToDo = 'check the configuration of the provider',
): SessionError {
  return new SessionError(
    'provider_refused',
    `The identity provider "${name}" did not identify the user: ${reason}. Ask the operator of this server to ${whatToDo}.`,
  );
}

function nameIn(claims: Readonly<Record<string, unknown>>): unknown {
  return claims.name ?? claims.preferred_username ?? claims.email;
}

/** Identifiers may be numbers (GitHub). */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
