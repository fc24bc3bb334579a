import { describe, expect, it } from 'vitest';
import { assertSuccess } from './authorization-response.js';

const ISSUER = 'https://id.test';

function check(query: string, isIssuerSent = false) {
  const metadata = {
    issuer: ISSUER,
    authorization_endpoint: `${ISSUER}/authorize?tenant=t`,
    authorization_response_iss_parameter_supported: isIssuerSent,
  };
  assertSuccess(new URLSearchParams(query), metadata, 'idp');
}

describe('an authorization response', () => {
  it.each<[string, string, boolean?]>([
    ['without an issuer', 'code=c'],
    ['with the issuer', `code=c&iss=${ISSUER}`],
    ['with the issuer as announced', `code=c&iss=${ISSUER}`, true],
  ])('%s is accepted', (_what, query, isIssuerSent) => {
    expect(() => check(query, isIssuerSent)).not.toThrow();
  });

  it.each<[string, string, boolean, object]>([
    ['of another issuer', 'code=c&iss=https://evil.test', false, { received: 'https://evil.test' }],
    [
      'of another issuer as announced',
      'code=c&iss=https://evil.test',
      true,
      { received: 'https://evil.test' },
    ],
    [
      'that is an error of another issuer',
      'error=x&iss=https://evil.test',
      true,
      { received: 'https://evil.test' },
    ],
    ['with an empty issuer', 'code=c&iss=', false, { received: '' }],
    ['without the announced issuer', 'code=c', true, {}],
  ])('%s is refused, with both issuers [security 12]', (_what, query, isIssuerSent, received) => {
    const failure = {
      step: 'authorization',
      reason: 'response_issuer',
      claim: 'iss',
      expected: ISSUER,
      ...received,
    };
    expect(() => check(query, isIssuerSent)).toThrow(
      expect.objectContaining({
        failure: { provider: 'idp', outcome: 'refused', endpoint: `${ISSUER}/authorize`, ...failure },
      }),
    );
  });

  it('that is an error says which, although the announced issuer is missing', () => {
    const query = 'error=invalid_scope&error_description=No+such+scope';
    for (const isIssuerSent of [true, false]) {
      expect(() => check(query, isIssuerSent)).toThrow(
        expect.objectContaining({ error: 'invalid_scope', error_description: 'No such scope' }),
      );
    }
  });
});
