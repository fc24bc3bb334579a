import { describe, expect, it } from 'vitest';
import { readClaims } from './token-claims.js';

const EXPECTED = { issuer: 'https://auth.test', audience: 'https://mcp.test/mcp', subjectClaim: 'sub' };
const NOW = { ms: 5000, epochSeconds: 1_800_000_000 };
const GOOD = {
  iss: EXPECTED.issuer,
  aud: EXPECTED.audience,
  sub: 'alice',
  client_id: 'client',
  exp: NOW.epochSeconds + 60,
  scope: 'mcp notes',
};

const read = (changes: Record<string, unknown>, expected = EXPECTED) =>
  readClaims({ ...GOOD, ...changes }, expected, NOW);
const ABSENT = undefined;

describe('the claims of a token', () => {
  it('name a principal, whose time runs on the clock of this process', () => {
    expect(read({})).toEqual({
      principal: {
        issuer: EXPECTED.issuer,
        subject: 'alice',
        clientId: 'client',
        scopes: ['mcp', 'notes'],
        expiresAtMs: NOW.ms + 60_000,
      },
    });
  });

  it.each<[what: string, changes: Record<string, unknown>, principal: object]>([
    ['no issuer, as introspection may leave it out', { iss: ABSENT }, { issuer: EXPECTED.issuer }],
    ['several audiences, this one among them', { aud: ['other', EXPECTED.audience] }, { subject: 'alice' }],
    ['the client as azp', { client_id: ABSENT, azp: 'older' }, { clientId: 'older' }],
    ['the client as appid', { client_id: ABSENT, appid: 'oldest' }, { clientId: 'oldest' }],
    ['the client by several names', { azp: 'other', appid: 'another' }, { clientId: 'client' }],
    ['an empty client_id beside azp', { client_id: '', azp: 'older' }, { clientId: 'older' }],
    ['no scope', { scope: ABSENT }, { scopes: [] }],
    ['an empty scope', { scope: '' }, { scopes: [] }],
    ['scopes with several blanks', { scope: ' mcp  notes ' }, { scopes: ['mcp', 'notes'] }],
    ['scopes as a list', { scope: ['mcp', 'notes'] }, { scopes: ['mcp', 'notes'] }],
    ['no end, which is asked about again in five minutes', { exp: ABSENT }, { expiresAtMs: 305_000 }],
    ['an end between two seconds', { exp: NOW.epochSeconds + 0.5 }, { expiresAtMs: 5500 }],
    ['a beginning a few seconds ahead', { nbf: NOW.epochSeconds + 5 }, { subject: 'alice' }],
  ])('may have %s', (_what, changes, principal) => {
    expect(read(changes)).toMatchObject({ principal });
  });

  it.each<[what: string, changes: Record<string, unknown>, fault: RegExp]>([
    ['another issuer', { iss: 'https://other.test' }, /another issuer/],
    ['an issuer that differs by a slash', { iss: `${EXPECTED.issuer}/` }, /another issuer/],
    ['no audience', { aud: ABSENT }, /another resource/],
    ['another audience', { aud: 'https://other.test/mcp' }, /another resource/],
    ['an audience that differs by a slash', { aud: `${EXPECTED.audience}/` }, /another resource/],
    ['an audience that is only part of ours', { aud: 'https://mcp.test' }, /another resource/],
    ['audiences without ours', { aud: ['a', 'b'] }, /another resource/],
    ['an audience that is no text', { aud: 7 }, /another resource/],
    ['an end that has come', { exp: NOW.epochSeconds }, /expired/],
    ['an end that is long past', { exp: 0 }, /expired/],
    ['an end that is no number', { exp: 'never' }, /cannot be read/],
    ['an end without end', { exp: Number.POSITIVE_INFINITY }, /cannot be read/],
    ['a beginning that is still to come', { nbf: NOW.epochSeconds + 6 }, /not valid yet/],
    ['no subject', { sub: ABSENT }, /who is calling/],
    ['an empty subject', { sub: '' }, /who is calling/],
    ['a subject that is no text', { sub: 42 }, /who is calling/],
    ['no client', { client_id: ABSENT }, /which client/],
    ['a client that is no text', { client_id: { id: 'client' } }, /which client/],
    ['a scope that is no text', { scope: 7 }, /cannot be read/],
  ])('name nobody with %s [security 9]', (_what, changes, fault) => {
    expect(read(changes)).toEqual({ fault: expect.stringMatching(fault) });
  });

  it.each([undefined, null, 'text', 7, []])('name nobody when they are %o', (claims) => {
    expect(readClaims(claims, EXPECTED, NOW)).toHaveProperty('fault');
  });

  it('say who is calling by the claim that the operator configured, and by no other [security 4]', () => {
    const expected = { ...EXPECTED, subjectClaim: 'oid' };
    expect(read({ oid: 'the-same-everywhere' }, expected)).toMatchObject({
      principal: { subject: 'the-same-everywhere' },
    });
    expect(read({}, expected)).toEqual({ fault: expect.stringMatching(/who is calling/) });
  });

  it.each(['constructor', '__proto__', 'toString'])(
    'have nothing to say by a claim called %s that is not theirs',
    (subjectClaim) => {
      expect(read({}, { ...EXPECTED, subjectClaim })).toHaveProperty('fault');
    },
  );
});
