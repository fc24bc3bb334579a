import * as oidc from 'openid-client';
import { z } from 'zod';
import type { Identity } from '../account/refresh/granted-tokens.js';
import { readLimitedText, TooLargeError } from '../limits/read-limited-text.js';
import { ProviderError, type ProviderFailure } from '../session/provider-failures.js';
import type { ProviderSettings } from './provider-settings.js';

const MAX_BYTES = 256 * 1024;

const userInfoSchema = z.record(z.string(), z.unknown());

/**
 * Requests the user info of an access token (OpenID Connect Core section 5.3).
 * @throws ProviderError; and what openid-client throws
 */
export async function userInfo(
  configuration: oidc.Configuration,
  accessToken: string,
  settings: ProviderSettings,
): Promise<Identity> {
  const { name } = settings;
  const endpoint = configuration.serverMetadata().userinfo_endpoint;
  if (!endpoint) throw unidentified(name, { reason: 'endpoint_missing' });
  const text = await requestUserInfo(new URL(endpoint), configuration, accessToken, name);
  const { data: info } = userInfoSchema.safeParse(parseJson(text));
  const { subject: subjectField = 'sub', name: nameField } = settings.identityFields ?? {};
  const subject = info && textOf(info[subjectField]);
  if (!info) throw unidentified(name, { reason: 'user_info_invalid', endpoint });
  if (subject === undefined)
    throw unidentified(name, { reason: 'identity_missing', endpoint, claim: subjectField });
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
    if (!response.ok) {
      void response.body?.cancel().catch(() => undefined);
      throw new oidc.ClientError('unexpected status', { cause: response });
    }
    return await readLimitedText(response, MAX_BYTES);
  } catch (error) {
    // openid-client wraps errors of the connection.
    const cause = error instanceof oidc.ClientError ? error.cause : error;
    if (cause instanceof TooLargeError)
      throw unidentified(name, { reason: 'user_info_invalid', endpoint: endpoint.href });
    throw error;
  }
}

function unidentified(
  provider: string,
  failure: Pick<ProviderFailure, 'reason' | 'endpoint' | 'claim'>,
): ProviderError {
  return new ProviderError({ provider, step: 'user_info', outcome: 'refused', ...failure });
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
