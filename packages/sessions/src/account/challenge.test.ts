import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../../../test/support/seeded-random.js';
import { demandedClaims, demandOf } from './challenge.js';

const answer = (status: number, challenge: string) => ({
  status,
  headers: new Headers({ 'www-authenticate': challenge }),
});
const CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}';
const base64 = (text: string, encoding: 'base64' | 'base64url' = 'base64') =>
  Buffer.from(text).toString(encoding);

describe('what an API demands', () => {
  it.each<[string, number, string, ReturnType<typeof demandOf>]>([
    [
      'scopes, as in RFC 6750',
      403,
      'Bearer realm="example", error="insufficient_scope", error_description="more", scope="a b"',
      { scopes: ['a', 'b'] },
    ],
    ['scopes with 401', 401, 'Bearer error="insufficient_scope",scope="a"', { scopes: ['a'] }],
    ['scopes without quotes', 403, 'bearer error=insufficient_scope, scope=a', { scopes: ['a'] }],
    [
      'a URL as a scope without quotes',
      403,
      'Bearer error=insufficient_scope, scope=https://api.test/a',
      { scopes: ['https://api.test/a'] },
    ],
    [
      'scopes with spaces around the sign',
      403,
      'Bearer error = insufficient_scope , scope = "a"',
      { scopes: ['a'] },
    ],
    ['a scope only once', 403, 'Bearer error="insufficient_scope", scope="a a  b"', { scopes: ['a', 'b'] }],
    [
      'the names of parameters in any case',
      403,
      'BEARER Error="insufficient_scope", SCOPE="a"',
      { scopes: ['a'] },
    ],
    [
      'scopes in the second challenge, after one of another scheme',
      403,
      'Basic realm="x", Negotiate YWJj==, Bearer error="insufficient_scope", scope="a"',
      { scopes: ['a'] },
    ],
    [
      'scopes after a quoted comma and a quoted quotation mark',
      403,
      'Bearer realm="a, Basic \\"b", error="insufficient_scope", scope="a"',
      { scopes: ['a'] },
    ],
    [
      'claims, as Entra ID sends them',
      401,
      `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="insufficient_claims", claims="${base64(CLAIMS)}"`,
      { claims: CLAIMS },
    ],
    [
      'claims in base64url without padding',
      401,
      `Bearer error="insufficient_claims", claims=${base64('{"a":"??>"}', 'base64url')}`,
      { claims: '{"a":"??>"}' },
    ],
    [
      'scopes and claims in two challenges',
      401,
      `Bearer error="insufficient_claims", claims="${base64(CLAIMS)}", Bearer error="insufficient_scope", scope="a"`,
      { claims: CLAIMS, scopes: ['a'] },
    ],
  ])('is read: %s', (_what, status, challenge, demand) => {
    expect(demandOf(answer(status, challenge))).toEqual(demand);
  });

  it.each<[string, number, string]>([
    ['another status', 400, 'Bearer error="insufficient_scope", scope="a"'],
    ['no scope', 403, 'Bearer error="insufficient_scope"'],
    ['an empty scope', 403, 'Bearer error="insufficient_scope", scope=" "'],
    ['another error', 403, 'Bearer error="invalid_token", scope="a"'],
    ['another scheme', 403, 'Basic error="insufficient_scope", scope="a"'],
    ['an error of another scheme', 403, 'Bearer scope="a", DPoP error="insufficient_scope"'],
    ['a scope with a quotation mark', 403, 'Bearer error="insufficient_scope", scope="a\\"b"'],
    ['a scope with a control character', 403, 'Bearer error="insufficient_scope", scope="a\tb"'],
    ['a scope that is too long', 403, `Bearer error="insufficient_scope", scope="${'a'.repeat(257)}"`],
    [
      'too many scopes',
      403,
      `Bearer error="insufficient_scope", scope="${Array.from({ length: 21 }, (_, i) => `s${i}`).join(' ')}"`,
    ],
    ['a quoted string without end', 403, 'Bearer error="insufficient_scope", scope="a'],
    ['too long a header', 403, `Bearer error="insufficient_scope", scope="a", x="${'x'.repeat(8192)}"`],
    ['claims with 403', 403, `Bearer error="insufficient_claims", claims="${base64(CLAIMS)}"`],
    ['claims that are no JSON', 401, 'Bearer error="insufficient_claims", claims="YWJj"'],
    ['claims that are no object', 401, `Bearer error="insufficient_claims", claims="${base64('["a"]')}"`],
    [
      'claims that are too large',
      401,
      `Bearer error="insufficient_claims", claims="${base64(`{"a":"${'a'.repeat(4096)}"}`)}"`,
    ],
    ['no claims', 401, 'Bearer error="insufficient_claims"'],
  ])('is not read from %s', (_what, status, challenge) => {
    expect(demandOf(answer(status, challenge))).toBeUndefined();
  });

  it('is nothing without a challenge', () => {
    expect(demandOf({ status: 403, headers: new Headers() })).toBeUndefined();
  });

  it('is valid, whatever the header is', () => {
    const random = new SeededRandom(15);
    const headers = [
      'Bearer realm="x", error="insufficient_scope", scope="a b"',
      `Bearer error="insufficient_claims", claims="${base64(CLAIMS)}"`,
    ];
    const parts = [
      'Bearer',
      'error',
      '=',
      '"',
      '\\',
      ',',
      ' ',
      '\t',
      '==',
      '{}',
      '\u00e9',
      'scope="',
      'x'.repeat(300),
    ];
    const seen = new Set<string>();
    for (let round = 0; round < 20_000; round++) {
      let header = random.pick(headers);
      for (let changes = random.below(6); changes > 0; changes--) {
        const at = random.below(header.length);
        header = header.slice(0, at) + random.pick(parts) + header.slice(at + random.below(4));
      }
      const demand = demandOf(answer(random.pick([401, 403]), header));
      seen.add(Object.keys(demand ?? {}).join());
      for (const scope of demand?.scopes ?? []) expect(scope).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/);
      if (demand?.claims !== undefined) expect(demandedClaims(demand.claims)).toBe(demand.claims);
    }
    expect([...seen].sort()).toEqual(['', 'claims', 'scopes']);
  });
});
