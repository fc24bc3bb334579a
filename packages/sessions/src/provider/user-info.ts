import * as oidc from 'openid-client';
import { z } from 'zod';
import type { Identity } from '../account/refresh/granted-tokens.js';
import { SessionError } from '../errors.js';
import { readLimitedText, TooLargeError } from '../limits/read-limited-text.js';
import type { ProviderSettings } from './provider-options.js';
import { retryAfterSecondsOf } from './token-answers.js';

const MAX_BYTES = 256 * 1024;
const RETRY_AFTER_SECONDS = 60;

const userInfoSchema = z.record(z.string(), z.unknown());

/**
 * Asks a provider who an access token belongs to (OpenID Connect Core section 5.3).
 * @throws SessionError `provider_unavailable`, `provider_refused`; and what openid-client throws
 */
export async function userInfo(
  configuration: oidc.Configuration,
  accessToken: string,
  settings: ProviderSettings,
): Promise<Identity> {
  const { name } = settings;
  const endpoint = configuration.serverMetadata().userinfo_endpoint;
  if (!endpoint) throw nobody(name, 'add the scope `openid` to its configuration');
  const text = await askedFor(new URL(endpoint), configuration, accessToken, name);
  const { data: info } = userInfoSchema.safeParse(parseJson(text));
  const { subject: subjectField = 'sub', name: nameField } = settings.identityFields ?? {};
  const subject = info && textOf(info[subjectField]);
  if (!info || subject === undefined)
    throw nobody(name, `its user info has no "${subjectField}": set \`identityFields\``);
  return { subject, name: textOf(nameField === undefined ? nameIn(info) : info[nameField]) };
}

/** Who an ID token is about. */
export function identityOf(claims: oidc.IDToken): Identity {
  return { subject: claims.sub, name: textOf(nameIn(claims)) };
}

async function askedFor(
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
    // The library wraps what the connection throws.
    const cause = error instanceof oidc.ClientError ? error.cause : error;
    if (cause instanceof TooLargeError) throw nobody(name, 'its user info is too large to be read');
    throw error;
  }
}

function badStatus(response: Response, name: string): SessionError {
  const { status } = response;
  void response.body?.cancel().catch(() => undefined);
  if (status === 429 || status >= 500) {
    return new SessionError(
      'provider_unavailable',
      `"${name}" cannot say now who logged in. Log in again in a minute; if it stays so, tell the operator of this server.`,
      { retryAfterSeconds: retryAfterSecondsOf(response) ?? RETRY_AFTER_SECONDS },
    );
  }
  if (status === 401 || status === 403)
    return nobody(
      name,
      'its user info refuses its own access token: check which scopes it asks for, and ask for them',
    );
  return nobody(name, `its user info answers with the status ${status}: check that address`);
}

function nobody(name: string, whatToDo: string): SessionError {
  return new SessionError('provider_refused', `"${name}" does not say who logged in: ${whatToDo}.`);
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
