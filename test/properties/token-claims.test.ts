import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readClaims } from '../../packages/sessions/src/access/token-claims.js';

const NOW = { ms: 0, epochSeconds: 1_800_000_000 };
const EXPECTED = { issuer: 'https://auth.test', audience: 'https://mcp.test/mcp', subjectClaim: 'sub' };
const GOOD = {
  iss: EXPECTED.issuer,
  aud: EXPECTED.audience,
  sub: 'alice',
  client_id: 'app',
  exp: NOW.epochSeconds + 60,
  scope: 'mcp',
};

const CLAIMS = [
  ...[
    'iss',
    'aud',
    'sub',
    'client_id',
    'azp',
    'exp',
    'nbf',
    'scope',
    'cnf',
    'typ',
    'token_use',
    'token_type',
  ],
  ...['type', 'purpose', 'use', 'at_hash', 'c_hash', 's_hash', 'nonce'],
];
const WORDS = [
  'Bearer',
  'access',
  'refresh',
  'Refresh',
  'Offline',
  'id',
  'ID',
  'DPoP',
  'N_A',
  'at+jwt',
  'app',
  '',
];
const value = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(...WORDS, EXPECTED.issuer, EXPECTED.audience, `${EXPECTED.issuer}/`),
  fc.constantFrom(undefined, null, 0, NOW.epochSeconds, NOW.epochSeconds + 1, Number.POSITIVE_INFINITY),
  fc.constantFrom([EXPECTED.audience], [EXPECTED.issuer], [], ['a', 7], { jkt: 'x' }),
);
const changes = fc.dictionary(fc.constantFrom(...CLAIMS), value, { maxKeys: 4 });

/** What a token has to say at least, written down a second time. */
function isAcceptable(claims: Record<string, unknown>): boolean {
  const kinds = ['typ', 'token_use', 'token_type'].map((name) => claims[name] ?? '');
  const isAccess = kinds.every(
    (kind) => /^(|bearer|access|at\+jwt)$/i.test(String(kind)) && typeof kind === 'string',
  );
  const isOther = ['type', 'purpose', 'use'].some((name) =>
    /^(refresh|offline|id|dpop)$/i.test(String(claims[name])),
  );
  const isId = ['at_hash', 'c_hash', 's_hash'].some((name) => claims[name] !== undefined);
  return (
    claims.iss === EXPECTED.issuer &&
    [claims.aud].flat().includes(EXPECTED.audience) &&
    [claims.aud].flat().every((each) => typeof each === 'string') &&
    (claims.cnf ?? null) === null &&
    isAccess &&
    !isOther &&
    !isId &&
    typeof claims.sub === 'string' &&
    claims.sub !== '' &&
    typeof claims.exp === 'number' &&
    Number.isFinite(claims.exp) &&
    claims.exp > NOW.epochSeconds
  );
}

describe('the claims of a JWT', () => {
  it('name a principal only if they say all that they have to, in the right type [security 9]', () => {
    fc.assert(
      fc.property(changes, (changed) => {
        const claims = { ...GOOD, ...changed };
        const read = readClaims(claims, 'jwt', EXPECTED, NOW);
        if ('principal' in read) expect(isAcceptable(claims)).toBe(true);
        else expect(read.fault).toMatch(/^[\x20\x21\x23-\x5B\x5D-\x7E]{1,400}$/);
      }),
      { numRuns: 3000 },
    );
  });

  it('report expiry only if a later expiry would make them valid [security 41]', () => {
    fc.assert(
      fc.property(changes, (changed) => {
        const claims = { ...GOOD, ...changed };
        const read = readClaims(claims, 'jwt', EXPECTED, NOW);
        if ('principal' in read || read.reason !== 'expired') return;
        const later = { ...claims, exp: NOW.epochSeconds + 60 };
        expect(readClaims(later, 'jwt', EXPECTED, NOW)).toHaveProperty('principal');
      }),
      { numRuns: 3000 },
    );
  });
});
