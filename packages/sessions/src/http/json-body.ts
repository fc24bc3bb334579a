import { readBoundedText, TooLargeError } from '../bounded-text.js';
import { MAX_BODY_BYTES, MAX_JSON_DEPTH } from './http-limits.js';

/** A request's body, or why it is none. */
export type JsonBody =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'wrong-type' | 'too-large' | 'malformed' | 'too-deep' };

/** Reads the body of a POST. */
export async function readJsonBody(request: Request): Promise<JsonBody> {
  const essence = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (essence !== 'application/json') return { kind: 'wrong-type' };
  let value: unknown;
  try {
    value = JSON.parse(await readBoundedText(request, MAX_BODY_BYTES));
  } catch (error) {
    return { kind: error instanceof TooLargeError ? 'too-large' : 'malformed' };
  }
  return isDeeper(value, MAX_JSON_DEPTH) ? { kind: 'too-deep' } : { kind: 'json', value };
}

function isDeeper(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return limit === 0 || Object.values(value).some((inner) => isDeeper(inner, limit - 1));
}
