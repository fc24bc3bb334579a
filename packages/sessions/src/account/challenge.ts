import { SCOPE_TOKEN } from '../parse-options.js';
import { secretBytes } from '../vault/memory.js';
import { digestOf } from '../vault/secret-digest.js';

/** What an API demands of a login besides what it has. */
export interface Demand {
  /** At most {@link MAX_DEMANDED_SCOPES}. */
  readonly scopes?: readonly string[] | undefined;
  /** JSON of an object, at most {@link MAX_CLAIMS_BYTES}. */
  readonly claims?: string | undefined;
}

/** The maximum length of the challenges of a response. Longer ones are not read. */
const MAX_CHALLENGE_LENGTH = 8192;
/** The maximum number of scopes of a demand, and the maximum length of each. */
export const MAX_DEMANDED_SCOPES = 20;
export const MAX_SCOPE_LENGTH = 256;
/** The maximum size of demanded claims. */
export const MAX_CLAIMS_BYTES = 4096;

/**
 * What an API demands in its response: scopes (RFC 6750 section 3.1, `insufficient_scope`), or claims that only another
 * login gives (`insufficient_claims`, the claims challenge of Microsoft Entra ID).
 */
export function demandOf({ status, headers }: Pick<Response, 'status' | 'headers'>): Demand | undefined {
  if (status !== 401 && status !== 403) return undefined;
  const challenges = headers.get('www-authenticate') ?? '';
  if (challenges.length > MAX_CHALLENGE_LENGTH) return undefined;
  let demand: Demand | undefined;
  for (const parameters of bearerChallenges(challenges)) {
    const error = parameters.get('error');
    const scopes = error === 'insufficient_scope' ? demandedScopes(parameters.get('scope')) : undefined;
    const claims =
      status === 401 && error === 'insufficient_claims'
        ? demandedClaims(parameters.get('claims') ?? '')
        : undefined;
    if (scopes || claims) demand = { ...(scopes && { scopes }), ...(claims && { claims }), ...demand };
  }
  return demand;
}

function demandedScopes(text: string | undefined): readonly string[] | undefined {
  const scopes = [...new Set(text?.split(' ').filter(Boolean))];
  const areValid = scopes.every((scope) => scope.length <= MAX_SCOPE_LENGTH && SCOPE_TOKEN.test(scope));
  return areValid && scopes.length > 0 && scopes.length <= MAX_DEMANDED_SCOPES ? scopes : undefined;
}

/**
 * The claims of a challenge or of a tool.
 * @param text JSON, or its base64 or base64url
 * @returns JSON of an object; `undefined` if the text is none, or is too large
 */
export function demandedClaims(text: string): string | undefined {
  const json = text.trimStart().startsWith('{') ? text : secretBytes(text, 'base64').toString();
  try {
    const claims: unknown = JSON.parse(json);
    if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return undefined;
    const compact = JSON.stringify(claims);
    return Buffer.byteLength(compact) <= MAX_CLAIMS_BYTES ? compact : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What demanded claims have in common with a repetition of the demand. A challenge of Microsoft Entra ID can contain
 * the time as the least `nbf`, so that no two are equal.
 */
export function kindOfClaims(claims: string): string {
  return digestOf(
    JSON.stringify(JSON.parse(claims), (_name, value: unknown) => (isTimestamp(value) ? 0 : value)),
  );
}

/** Whether a value may be a time in seconds or milliseconds since 1970. */
function isTimestamp(value: unknown): boolean {
  return (typeof value === 'number' || typeof value === 'string') && /^\d{9,13}$/.test(String(value));
}

// RFC 9110 sections 5.6 and 11.2. Each is sticky, and takes linear time.
const SEPARATOR = /[\s,]*/y;
const TOKEN = /[!#$%&'*+.^_`|~\w-]+/y;
const TOKEN68 = /\s+[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/y;
const EQUALS = /\s*=\s*/y;
const UNQUOTED = /[^\s",]+/y;
const QUOTED = /"(?:[^"\\]|\\.)*"/y;

/** The parameters of the Bearer challenges of a `WWW-Authenticate` header. What follows a syntax error is ignored. */
function bearerChallenges(header: string): ReadonlyMap<string, string>[] {
  const challenges: Map<string, string>[] = [];
  let current: Map<string, string> | undefined;
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const [taken] = pattern.exec(header) ?? [];
    at += taken?.length ?? 0;
    return taken;
  };
  while (at < header.length) {
    take(SEPARATOR);
    const name = take(TOKEN)?.toLowerCase();
    if (name === undefined) break;
    if (take(EQUALS) === undefined) {
      current = name === 'bearer' ? new Map() : undefined;
      if (current) challenges.push(current);
      take(TOKEN68);
      continue;
    }
    const value = take(UNQUOTED) ?? unquoted(take(QUOTED));
    if (value === undefined) break;
    if (current && !current.has(name)) current.set(name, value);
  }
  return challenges;
}

function unquoted(quoted: string | undefined): string | undefined {
  return quoted?.slice(1, -1).replaceAll(/\\(.)/gs, '$1');
}
