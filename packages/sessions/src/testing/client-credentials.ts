import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import type { QuirkRequest } from './quirk-hooks.js';

interface Assertion {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * Whether a request has the client's secret: in an Authorization header, form-encoded (RFC 6749 section 2.3.1), or in
 * the form.
 */
export function hasClientSecret({ headers, form, facts }: QuirkRequest): boolean {
  const { clientId, clientSecret } = facts;
  const [scheme, credentials = ''] = headers.get('authorization')?.split(' ') ?? [];
  if (scheme !== 'Basic') {
    return form.get('client_id') === clientId && form.get('client_secret') === clientSecret;
  }
  const [id = '', secret = ''] = Buffer.from(credentials, 'base64').toString().split(':');
  return formDecoded(id) === clientId && formDecoded(secret) === clientSecret;
}

/** The client assertion (RFC 7523) of a request; `undefined` if there is none or its signature is not valid. */
export function verifiedAssertion({ form }: QuirkRequest, key: JsonWebKey): Assertion | undefined {
  const [header = '', claims = '', signature = ''] = form.get('client_assertion')?.split('.') ?? [];
  const signer = { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' as const };
  const isValid = verify(
    'sha256',
    Buffer.from(`${header}.${claims}`),
    signer,
    Buffer.from(signature, 'base64url'),
  );
  return isValid ? { header: decoded(header), claims: decoded(claims) } : undefined;
}

function formDecoded(value: string): string | undefined {
  return new URLSearchParams(`value=${value}`).get('value') ?? undefined;
}

function decoded(part: string): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(part, 'base64url').toString());
}
