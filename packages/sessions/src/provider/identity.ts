import * as oidc from 'openid-client';
import { z } from 'zod';
import type { GrantedTokens, Identity } from '../account/refresh/granted-tokens.js';
import { readLimitedText, TooLargeError } from '../limits/read-limited-text.js';
import { ProviderError, type ProviderFailure, printable } from '../session/provider-failures.js';
import { type IdTokenCheck, type IdTokenFault, MAX_IDENTITY_LENGTH } from './id-token.js';
import { fieldAt } from './json-pointer.js';
import { addressOf } from './provider-failure.js';
import type { ProviderSettings } from './provider-settings.js';
import { metadataOf } from './server-metadata.js';

const MAX_USER_INFO_BYTES = 256 * 1024;
export const MAX_SESSION_LENGTH = 256;
/** Of a value in a failure. */
const MAX_VALUE_LENGTH = 200;

const objectSchema = z.record(z.string(), z.unknown());

/** The response to a login, as far as it can identify the user. */
export interface LoginAnswer {
  /** Absent: the response has no ID token. */
  readonly idToken?: IdTokenCheck | undefined;
  /** The response of the token endpoint, as the provider sent it. */
  readonly body: unknown;
  /** The token endpoint. */
  readonly endpoint: string | undefined;
  /** Whether the login requested `openid`. */
  readonly isIdTokenRequested: boolean;
  /** Whether user info suffices: PKCE protects the code, or there is none, and there is an endpoint. */
  readonly isUserInfoEnough: boolean;
}

type Identified = Pick<
  GrantedTokens,
  'identity' | 'idTokenClaims' | 'openIdSubject' | 'providerSession' | 'nonconformance'
>;

/** What user info says of a user. */
export interface UserInfo {
  readonly identity: Identity;
  /** OpenID Connect Core section 5.3.2. User info of other standards has none. */
  readonly openIdSubject?: string | undefined;
}

/**
 * Identifies the user of a login.
 * @param requestUserInfo receives the `sub` of a valid ID token, which that of the user info has to equal
 * @throws ProviderError; and what `requestUserInfo` throws
 */
export async function identify(
  settings: ProviderSettings,
  answer: LoginAnswer,
  requestUserInfo: (idTokenSubject: string | undefined) => Promise<UserInfo>,
): Promise<Identified> {
  const { identitySource, identityFields } = settings;
  const { idToken, body, endpoint, isIdTokenRequested } = answer;
  const claims = idToken && 'claims' in idToken ? idToken.claims : undefined;
  const session = { ...(claims && { openIdSubject: claims.sub }), ...providerSessionOf(claims) };
  if (identitySource === 'token_response')
    return { identity: identityIn(body, settings, { step: 'token', endpoint }), ...session };
  // An ID token that was not requested does not replace the fields that the options name.
  const areFieldsNamed = identityFields !== undefined && !isIdTokenRequested;
  if (identitySource === 'user_info' || areFieldsNamed)
    return { ...(await requestUserInfo(claims?.sub)), ...session };
  if (claims) {
    const identity = { subject: claims.sub, name: textOf(nameIn(claims)) };
    return { identity, ...session, ...(isIdTokenRequested && { idTokenClaims: claims }) };
  }
  const fault: IdTokenFault = idToken && 'fault' in idToken ? idToken.fault : { reason: 'id_token_missing' };
  if (isIdTokenRequested && !isReplaceable(fault, settings, answer))
    throw invalidIdToken(fault, settings, endpoint);
  const isConforming = !idToken && !isIdTokenRequested;
  return {
    ...(await requestUserInfo(undefined)),
    ...(!isConforming && { nonconformance: 'id_token_invalid' }),
  };
}

/** Whether user info may identify the user in place of an ID token with a fault. */
function isReplaceable(
  { reason }: IdTokenFault,
  { identitySource }: ProviderSettings,
  { isUserInfoEnough }: LoginAnswer,
): boolean {
  const isUnreadable = reason === 'id_token_missing' || reason === 'id_token_encrypted';
  return isUnreadable && identitySource === undefined && isUserInfoEnough;
}

/**
 * Requests the user info of an access token (OpenID Connect Core section 5.3).
 * @param idTokenSubject the `sub` of the ID token of the login; `undefined`: there is none
 * @throws ProviderError, also if user info and ID token name different users; and what openid-client throws
 */
export async function userInfo(
  configuration: oidc.Configuration,
  accessToken: string,
  settings: ProviderSettings,
  idTokenSubject?: string,
): Promise<UserInfo> {
  const endpoint = metadataOf(configuration).userinfo_endpoint;
  if (!endpoint) throw refused(settings, { step: 'user_info', reason: 'endpoint_missing' });
  const text = await requestUserInfo(new URL(endpoint), configuration, accessToken, settings);
  const { data: info } = objectSchema.safeParse(parseJson(text));
  if (!info) throw refused(settings, { step: 'user_info', reason: 'user_info_invalid', endpoint });
  const hasSubject = info.sub !== undefined && info.sub !== null;
  const openIdSubject = textOf(info.sub);
  if (idTokenSubject !== undefined && hasSubject && openIdSubject !== idTokenSubject)
    throw refused(settings, { step: 'user_info', reason: 'user_info_mismatch', claim: 'sub', endpoint });
  const identity = identityIn(info, settings, { step: 'user_info', endpoint });
  return { identity, ...(openIdSubject !== undefined && { openIdSubject }) };
}

async function requestUserInfo(
  endpoint: URL,
  configuration: oidc.Configuration,
  accessToken: string,
  settings: ProviderSettings,
): Promise<string> {
  const { method = 'GET', headers: given, body } = settings.userInfoRequest;
  const headers = new Headers(given);
  if (body !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json');
  try {
    const response = await oidc.fetchProtectedResource(
      configuration,
      accessToken,
      endpoint,
      method,
      body,
      headers,
    );
    if (!response.ok) {
      void response.body?.cancel().catch(() => undefined);
      throw new oidc.ClientError('unexpected status', { cause: response });
    }
    return await readLimitedText(response, MAX_USER_INFO_BYTES);
  } catch (error) {
    // openid-client wraps errors of the connection.
    const cause = error instanceof oidc.ClientError ? error.cause : error;
    if (cause instanceof TooLargeError)
      throw refused(settings, { step: 'user_info', reason: 'user_info_invalid', endpoint: endpoint.href });
    throw error;
  }
}

function identityIn(
  document: unknown,
  settings: ProviderSettings,
  place: Pick<ProviderFailure, 'step' | 'endpoint'>,
): Identity {
  const { subject: subjectField = 'sub', name: nameField } = settings.identityFields ?? {};
  const fields = typeof subjectField === 'string' ? [subjectField] : subjectField;
  const parts = fields.map((field) => textOf(fieldAt(document, field)));
  const isIdentified = parts.at(-1) !== undefined;
  const subject = textOf(
    parts.length === 1 ? parts[0] : parts.map((part = '') => encodeURIComponent(part)).join('/'),
  );
  if (!isIdentified || subject === undefined)
    throw refused(settings, { ...place, reason: 'identity_missing', claim: fields.at(-1) });
  return { subject, name: textOf(nameField === undefined ? nameIn(document) : fieldAt(document, nameField)) };
}

function providerSessionOf(
  claims: Readonly<Record<string, unknown>> | undefined,
): Pick<GrantedTokens, 'providerSession'> {
  const sid = claims?.sid;
  const isUsable = typeof sid === 'string' && sid !== '' && sid.length <= MAX_SESSION_LENGTH;
  return isUsable ? { providerSession: sid } : {};
}

function invalidIdToken(
  { expected, received, ...fault }: IdTokenFault,
  settings: ProviderSettings,
  endpoint: string | undefined,
): ProviderError {
  return refused(settings, {
    step: 'token',
    endpoint,
    ...fault,
    ...(expected !== undefined && { expected: printable(expected, MAX_VALUE_LENGTH) }),
    ...(received !== undefined && { received: printable(received, MAX_VALUE_LENGTH) }),
  });
}

function refused(
  { name }: ProviderSettings,
  failure: Omit<ProviderFailure, 'provider' | 'outcome'>,
): ProviderError {
  const endpoint = addressOf(failure.endpoint);
  return new ProviderError({
    provider: name,
    outcome: 'refused',
    ...failure,
    ...(endpoint !== undefined && { endpoint }),
  });
}

function nameIn(document: unknown): unknown {
  const [name] = ['name', 'preferred_username', 'email']
    .map((field) => fieldAt(document, field))
    .filter((value) => value !== undefined && value !== null);
  return name;
}

/** Identifiers may be numbers (GitHub). Larger integers are rounded, so that two users could have the same one. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  const isUsable = typeof value === 'string' && value !== '' && value.length <= MAX_IDENTITY_LENGTH;
  return isUsable ? value : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
