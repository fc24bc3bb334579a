import { readLimitedText, TooLargeError } from '../limits/read-limited-text.js';
import type { ProviderFailureReason } from '../session/provider-failure-texts.js';
import { valueAt } from './json-pointer.js';
import {
  TOKEN_ANSWERS,
  type TokenAnswer,
  type TokenAnswerRow,
  type TokenOutcome,
  textIn,
} from './token-answer-table.js';

/** The largest token response that is read. */
const MAX_BYTES = 256 * 1024;
/** A century. A longer `expires_in` is ignored. */
const MAX_LIFETIME_SECONDS = 100 * 365 * 24 * 60 * 60;
const MAX_RETRY_AFTER_SECONDS = 3600;
/** The characters of the description of an error that are compared. */
const MAX_DESCRIPTION = 1000;
const BEARER = ['Bearer'] as const;

/** Corrections of common deviations from RFC 6749 section 5.1: the names of a field, and how its value is read. */
const REPAIRS: Readonly<
  Record<string, readonly [names: readonly string[], read: (value: unknown) => unknown]>
> = {
  // The table refuses every other type.
  token_type: [['token_type'], () => 'Bearer'],
  refresh_token: [['refresh_token'], textOrUndefined],
  id_token: [['id_token'], textOrUndefined],
  // HubSpot.
  scope: [['scope', 'scopes'], scopesOrUndefined],
  expires_in: [['expires_in'], lifetimeOrUndefined],
  // Keycloak, GitHub and QuickBooks.
  refresh_expires_in: [
    ['refresh_expires_in', 'refresh_token_expires_in', 'x_refresh_token_expires_in'],
    lifetimeOrUndefined,
  ],
};

/** A response of the token endpoint without tokens. */
export class TokenEndpointError extends Error {
  override readonly name = 'TokenEndpointError';
  readonly outcome: Exclude<TokenOutcome, 'granted'>;
  readonly retryAfterSeconds: number | undefined;
  readonly status: number | undefined;
  /** RFC 6749 section 5.2, RFC 8628 section 3.5. */
  readonly error: string | undefined;
  readonly errorDescription: string | undefined;
  readonly intervalSeconds: number | undefined;
  readonly reason: ProviderFailureReason | undefined;
  /** The `token_type` that is not accepted. */
  readonly tokenType: string | undefined;

  constructor(
    outcome: Exclude<TokenOutcome, 'granted'>,
    answer: string,
    retryAfterSeconds?: number,
    {
      status,
      error,
      errorDescription,
      intervalSeconds,
      reason,
      tokenType,
    }: Partial<Pick<TokenAnswer, 'status' | 'error' | 'errorDescription' | 'intervalSeconds'>> &
      Pick<TokenAnswerRow, 'reason'> & { readonly tokenType?: string | undefined } = {},
  ) {
    super(`The token endpoint responded: ${answer}.`);
    this.outcome = outcome;
    this.retryAfterSeconds = retryAfterSeconds;
    this.status = status;
    this.error = error;
    this.errorDescription = errorDescription;
    this.intervalSeconds = intervalSeconds;
    this.reason = reason;
    this.tokenType = tokenType;
  }
}

/** The field that hides an ID token from openid-client, which would discard the tokens if the ID token is not valid. */
export const UNCHECKED_ID_TOKEN = 'unchecked_id_token';
/** The field with the whole answer of the provider, as an object. */
export const RAW_ANSWER = 'raw_answer';

/** How the token responses of a provider differ. */
export interface TokenAnswerForm {
  /** A JSON Pointer to the object with `access_token`. If the response has none there, the top level applies. */
  readonly tokensAt?: string | undefined;
  /** The values of `token_type` that are used as bearer tokens. Default: `Bearer`. Letter case does not matter. */
  readonly tokenTypes?: readonly string[] | undefined;
}

/**
 * Reads a response of the token endpoint, and converts it to the form that openid-client accepts. An ID token becomes
 * the field {@link UNCHECKED_ID_TOKEN}, which the caller checks.
 * @throws TokenEndpointError if the response contains no tokens
 */
export async function readTokenAnswer(
  response: Response,
  { tokensAt = '', tokenTypes = BEARER }: TokenAnswerForm = {},
): Promise<Response> {
  const raw = await answerOf(response);
  const answer = { ...raw, body: tokenFieldsOf(raw.body, tokensAt) };
  const types = new Set(tokenTypes.map((type) => type.toLowerCase()));
  const row = TOKEN_ANSWERS.find(({ fits }) => fits(answer, types));
  if (row?.outcome !== 'granted') {
    throw new TokenEndpointError(
      row?.outcome ?? 'refused',
      row?.answer ?? '',
      retryAfterSecondsOf(response),
      {
        ...answer,
        ...(row?.reason && { reason: row.reason }),
        ...(row?.reason === 'token_type' && { tokenType: textIn(answer, 'token_type') }),
      },
    );
  }
  const { id_token: idToken, ...tokens } = repaired(answer.body);
  return Response.json({
    ...tokens,
    [RAW_ANSWER]: raw.body,
    ...(idToken !== undefined && { [UNCHECKED_ID_TOKEN]: idToken }),
  });
}

/**
 * The parts of a response that say what it means. The bodies of 429 and 5xx are not read.
 * @throws if the body breaks off
 */
export async function answerOf(response: Response): Promise<TokenAnswer> {
  const { status, headers } = response;
  const type = headers.get('content-type') ?? '';
  const asksForClient = /^basic\b/i.test(headers.get('www-authenticate') ?? '');
  const unread = { status, isHtml: false, asksForClient, error: undefined, description: '' };
  // These statuses suffice. Reading a body that is slow or breaks would turn `unavailable` into `lost`.
  if (status === 429 || status >= 500) {
    void response.body?.cancel().catch(() => undefined);
    return { ...unread, body: undefined };
  }
  try {
    const text = await readLimitedText(response, MAX_BYTES);
    const body = parse(text, type);
    return {
      ...unread,
      body,
      isHtml: isHtml(text, type, body),
      error: textOrUndefined(body?.error),
      errorDescription: textOrUndefined(body?.error_description) ?? textOrUndefined(body?.message),
      intervalSeconds: intervalOf(body?.interval),
      description: descriptionOf(body),
    };
  } catch (error) {
    if (!(error instanceof TooLargeError)) throw error;
    return { ...unread, body: 'too-large', isHtml: HTML.test(type) };
  }
}

const HTML = /^(text\/html|application\/xhtml\+xml)/i;

/** Some providers send JSON or a plain text with the content type of HTML. */
function isHtml(text: string, type: string, body: object | undefined): boolean {
  const start = text.trimStart();
  return start.startsWith('<') || (body === undefined && start !== '' && HTML.test(type));
}

/** Parses JSON, and the form encoding that some providers use (GitHub). */
function parse(text: string, type: string): Record<string, unknown> | undefined {
  if (type.startsWith('application/x-www-form-urlencoded'))
    return Object.fromEntries(new URLSearchParams(text));
  try {
    return fieldsOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** What an error response says, wherever it says it. */
function descriptionOf(body: Readonly<Record<string, unknown>> | undefined): string {
  if (!body) return '';
  const { error_description, message, status, errors, error } = body;
  const items = Array.isArray(errors) ? errors.map(fieldsOf) : [];
  const said = [
    error_description,
    message,
    status,
    ...items.map((item) => [item?.resource, item?.field, item?.code].filter(isText).join(' ')),
    fieldsOf(error)?.message,
  ];
  return said.filter(isText).join('\n').slice(0, MAX_DESCRIPTION).toLowerCase();
}

function tokenFieldsOf(body: TokenAnswer['body'], tokensAt: string): TokenAnswer['body'] {
  if (tokensAt === '' || typeof body !== 'object') return body;
  const nested = fieldsOf(valueAt(body, tokensAt));
  return textOrUndefined(nested?.access_token) === undefined ? body : nested;
}

function repaired(body: TokenAnswer['body']): Record<string, unknown> {
  const fields: Record<string, unknown> = typeof body === 'object' ? { ...body } : {};
  for (const [name, [names, read]] of Object.entries(REPAIRS)) {
    const value = names.map((each) => read(fields[each])).find((each) => each !== undefined);
    if (value === undefined) delete fields[name];
    else fields[name] = value;
  }
  return fields;
}

function fieldsOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function scopesOrUndefined(value: unknown): string | undefined {
  return textOrUndefined(Array.isArray(value) ? value.filter(isText).join(' ') : value);
}

function textOrUndefined(value: unknown): string | undefined {
  return isText(value) ? value : undefined;
}

function lifetimeOrUndefined(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  const isLifetime = typeof seconds === 'number' && seconds > 0 && seconds <= MAX_LIFETIME_SECONDS;
  return isLifetime ? seconds : undefined;
}

function intervalOf(value: unknown): number | undefined {
  const seconds = lifetimeOrUndefined(value);
  return seconds === undefined ? undefined : Math.min(seconds, MAX_RETRY_AFTER_SECONDS);
}

/** Reads `Retry-After` (RFC 9110 section 10.2.3), in seconds or as a date. */
export function retryAfterSecondsOf(response: Response): number | undefined {
  const value = response.headers.get('retry-after');
  if (!value) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds)
    ? Math.min(Math.max(Math.ceil(seconds), 0), MAX_RETRY_AFTER_SECONDS)
    : undefined;
}
