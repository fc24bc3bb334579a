import { readBoundedText } from '../bounded-text.js';

/** Larger answers are no token answers. */
const MAX_BYTES = 256 * 1024;

/**
 * Makes a token endpoint's answer fit RFC 6749 section 5.1 where providers commonly do not: an empty or null
 * `refresh_token` or `scope` counts as none, a missing `token_type` as Bearer, `expires_in` may be a
 * string. Left alone, the client library refuses such an answer, and the tokens in it are lost.
 */
export async function normaliseTokenResponse(response: Response): Promise<Response> {
  const text = await readBoundedText(response, MAX_BYTES);
  const { status, headers } = response;
  return new Response(response.ok ? normalised(text) : text, { status, headers });
}

function normalised(text: string): string {
  const body = parseObject(text);
  if (!body) return text;
  for (const name of ['refresh_token', 'scope', 'id_token']) {
    if (body[name] === null || body[name] === '') delete body[name];
  }
  body.token_type ??= 'Bearer';
  const { expires_in: expiresIn } = body;
  if (typeof expiresIn === 'string' && /^\d+$/.test(expiresIn)) body.expires_in = Number(expiresIn);
  else if (expiresIn === null || expiresIn === '') delete body.expires_in;
  return JSON.stringify(body);
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return { ...value };
  } catch {
    return undefined;
  }
}
