import type { GrantedTokens } from '../account/refresh/granted-tokens.js';
import { fieldAt } from './json-pointer.js';
import type { ProviderSettings } from './provider-settings.js';

export const MAX_FIELD_LENGTH = 1024;
/** Shorter tokens are compared with whole fields only. */
const MIN_TOKEN_LENGTH = 8;

/** Where the fields are that tools may see. */
interface FieldSources {
  /** The response of the token endpoint, as the provider sent it. */
  readonly body: unknown;
  /** The tokens in it. A field that contains one is not shown, whatever its name is. */
  readonly tokens: readonly (string | undefined)[];
  /** The query of the authorization response. Absent at a refresh. */
  readonly callback?: URLSearchParams | undefined;
}

type ShownFields = Pick<GrantedTokens, 'fields' | 'apiOrigin' | 'nonconformance'>;

/** Reads the fields of a login or a refresh that tools may see, and the origin of the user's API among them. */
export function shownFields(settings: ProviderSettings, sources: FieldSources): ShownFields {
  const { tokenFields, callbackFields, apiOriginField } = settings;
  const { body, tokens, callback } = sources;
  const found: readonly (readonly [string, unknown])[] = [
    ...tokenFields.map((field) => [field, fieldAt(body, field)] as const),
    ...callbackFields.map((field) => [field, callback?.get(field)] as const),
  ].filter(([, value]) => value !== undefined && value !== null);
  const texts = found
    .map(([field, value]) => [field, textOf(value)] as const)
    .filter(([, text]) => text !== undefined && !tokens.some((token) => hasToken(text, token)));
  const fields: Readonly<Record<string, string | undefined>> = Object.fromEntries(texts);
  const given = apiOriginField && fields[apiOriginField.field];
  const apiOrigin = given === undefined ? undefined : originIn(given, apiOriginField?.domains ?? []);
  const isOriginRefused = given !== undefined && apiOrigin === undefined;
  return {
    ...(texts.length > 0 && { fields: fields as Readonly<Record<string, string>> }),
    ...(apiOrigin !== undefined && { apiOrigin }),
    ...(isOriginRefused && { nonconformance: 'api_origin_refused' }),
    ...(!isOriginRefused && texts.length < found.length && { nonconformance: 'field_ignored' }),
  };
}

function hasToken(text: string, token: string | undefined): boolean {
  return (
    token !== undefined && (text === token || (token.length >= MIN_TOKEN_LENGTH && text.includes(token)))
  );
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' && value.length <= MAX_FIELD_LENGTH ? value : undefined;
}

/** @returns the origin; `undefined` unless it is https on its default port, at or below one of the domains */
function originIn(address: string, domains: readonly string[]): string | undefined {
  if (!URL.canParse(address)) return undefined;
  const { protocol, username, password, port, hostname, origin } = new URL(address);
  const isPlain = protocol === 'https:' && username === '' && password === '' && port === '';
  const isBelow = domains
    .map((domain) => domain.toLowerCase())
    .some((domain) => hostname === domain || hostname.endsWith(`.${domain}`));
  return isPlain && isBelow ? origin : undefined;
}
