import { MAX_JSON_DEPTH } from './http-limits.js';

/** A request's body, or why it is none. */
export type JsonBody =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'wrong-type' | 'malformed' | 'too-deep' };

/** Reads the body of a POST. Its size has been limited before. */
export async function readJsonBody(request: Request): Promise<JsonBody> {
  const essence = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (essence !== 'application/json') return { kind: 'wrong-type' };
  let value: unknown;
  try {
    value = JSON.parse(await request.text());
  } catch {
    return { kind: 'malformed' };
  }
  return isDeeper(value, MAX_JSON_DEPTH) ? { kind: 'too-deep' } : { kind: 'json', value };
}

function isDeeper(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return limit === 0 || Object.values(value).some((inner) => isDeeper(inner, limit - 1));
}
