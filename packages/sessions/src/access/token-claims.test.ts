import { describe, expect, it } from 'vitest';
import type { TokenFaultReason } from '../session/session-events.js';
import { type ClaimsSource, readClaims, type TokenExpectations } from './token-claims.js';
import type { TokenFault } from './token-fault.js';

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

const read = (
  changes: Record<string, unknown>,
  expected: TokenExpectations = EXPECTED,
  source: ClaimsSource = 'introspection',
) => readClaims({ ...GOOD, ...changes }, source, expected, NOW);
const ABSENT = undefined;

describe('the claims of a token', () => {
  it('name a principal that expires on the clock of this process', () => {
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

  it.each<[what: string, changes: Record<string, unknown>, reason: TokenFaultReason, fault: RegExp]>([
    [
      'another issuer',
      { iss: 'https://other.test' },
      'issuer',
      /other\.test; .*tokens of https:\/\/auth\.test/,
    ],
    ['an issuer that differs by a slash', { iss: `${EXPECTED.issuer}/` }, 'issuer', /auth\.test\/;/],
    ['an empty issuer', { iss: '' }, 'issuer', /accepts tokens of/],
    ['an issuer that is no text', { iss: 7 }, 'malformed', /claim iss/],
    ['issuers', { iss: [EXPECTED.issuer] }, 'malformed', /claim iss/],
    ['an issuer that is nothing', { iss: null }, 'malformed', /claim iss/],
    ['no audience', { aud: ABSENT }, 'audience', /no audience \(aud\); .*expects https:\/\/mcp\.test\/mcp/],
    ['another audience', { aud: 'https://other.test/mcp' }, 'audience', /other\.test\/mcp; .*expects/],
    ['an audience that differs by a slash', { aud: `${EXPECTED.audience}/` }, 'audience', /expects/],
    ['an audience that is only part of ours', { aud: 'https://mcp.test' }, 'audience', /expects/],
    ['audiences without ours', { aud: ['a', 'b'] }, 'audience', /expects/],
    ['audiences that are none', { aud: [] }, 'audience', /expects/],
    ['an audience that is no text', { aud: 7 }, 'malformed', /claim aud/],
    ['an end that has come', { exp: NOW.epochSeconds }, 'expired', /has expired/],
    ['an end that is long past', { exp: 0 }, 'expired', /has expired/],
    ['an end that is no number', { exp: 'never' }, 'malformed', /claim exp/],
    ['an end without end', { exp: Number.POSITIVE_INFINITY }, 'malformed', /claim exp/],
    ['a start in the future', { nbf: NOW.epochSeconds + 6 }, 'not_yet_valid', /not valid yet/],
    ['no subject', { sub: ABSENT }, 'subject', /name its user \(sub\)/],
    ['an empty subject', { sub: '' }, 'subject', /name its user/],
    ['a subject that is no text', { sub: 42 }, 'subject', /name its user/],
    ['no client', { client_id: ABSENT }, 'client', /name the client/],
    ['a client that is no text', { client_id: { id: 'client' } }, 'client', /name the client/],
    ['a client that is no text beside azp', { client_id: 7, azp: 'client' }, 'client', /name the client/],
    ['a scope that is no text', { scope: 7 }, 'malformed', /claim scope/],
    ['a thumbprint of a DPoP key', { cnf: { jkt: 'x' } }, 'key_bound', /bound to a key/],
    ['a thumbprint of a certificate', { cnf: { 'x5t#S256': 'x' } }, 'key_bound', /bound to a key/],
    ['a key', { cnf: { jwk: {} } }, 'key_bound', /bound to a key/],
    ['a confirmation of nothing', { cnf: {} }, 'key_bound', /bound to a key/],
    ['the type of a DPoP token', { token_type: 'DPoP' }, 'key_bound', /bound to a key/],
    ['the type Refresh', { typ: 'Refresh' }, 'refresh_token', /refresh token/],
    ['the type Offline', { typ: 'Offline' }, 'refresh_token', /refresh token/],
    ['the use refresh', { token_use: 'refresh' }, 'refresh_token', /refresh token/],
    ['the use refresh_token', { token_use: 'refresh_token' }, 'refresh_token', /refresh token/],
    ['the type refresh_token', { token_type: 'refresh_token' }, 'refresh_token', /refresh token/],
    ['the type refresh of another name', { type: 'refresh' }, 'refresh_token', /refresh token/],
    ['the use id', { token_use: 'id' }, 'id_token', /ID token/],
    ['the type ID', { typ: 'ID' }, 'id_token', /ID token/],
    ['the hash of a code', { c_hash: 'x' }, 'id_token', /ID token/],
    ['the hash of an access token', { at_hash: 'x' }, 'id_token', /ID token/],
    [
      'a nonce and no claim of access tokens',
      { nonce: 'x', scope: ABSENT, client_id: ABSENT, azp: 'client' },
      'id_token',
      /ID token/,
    ],
    ['another type', { typ: 'Logout' }, 'token_type', /typ is Logout/],
    ['a type that is no text', { typ: 7 }, 'token_type', /typ is 7/],
    ['another use', { token_use: 'introspection' }, 'token_type', /token_use is introspection/],
  ])('name no principal with %s, whatever their source [security 9]', (_what, changes, reason, fault) => {
    for (const source of ['jwt', 'introspection'] as const) {
      expect(read(changes, EXPECTED, source)).toEqual({ reason, fault: expect.stringMatching(fault) });
    }
  });

  it.each<[what: string, changes: Record<string, unknown>]>([
    ['Bearer by `typ`', { typ: 'Bearer' }],
    ['an access token by `token_use`', { token_use: 'access' }],
    ['an access token by `token_use`, as others write it', { token_use: 'access_token' }],
    ['Bearer by `token_type`', { token_type: 'bearer' }],
    ['ambiguous claims with another meaning', { type: 'person', purpose: 'demo', use: 'sig' }],
    ['a nonce of its own', { nonce: 'x' }],
  ])('may call the token %s', (_what, changes) => {
    expect(read(changes)).toHaveProperty('principal');
  });

  it('of a JWT require issuer and expiry, which introspection may omit [security 9]', () => {
    expect(read({ iss: ABSENT }, EXPECTED, 'jwt')).toMatchObject({ reason: 'issuer' });
    expect(read({ exp: ABSENT }, EXPECTED, 'jwt')).toMatchObject({ reason: 'malformed' });
  });

  it('of an expired token are reported as expired only if nothing else is wrong', () => {
    const expired = { exp: NOW.epochSeconds - 1 };
    expect(read(expired)).toMatchObject({ reason: 'expired' });
    for (const changes of [
      { aud: 'other' },
      { iss: 'https://other.test' },
      { sub: ABSENT },
      { cnf: {} },
      { client_id: ABSENT },
    ]) {
      expect(read({ ...expired, ...changes })).not.toMatchObject({ reason: 'expired' });
    }
  });

  it('are shortened and shown as plain text in messages', () => {
    const aud = `evil"\\\r\n\u2028${'x'.repeat(500)}`;
    const { fault } = read({ aud }) as TokenFault;
    expect(fault).toMatch(/^[\x20\x21\x23-\x5B\x5D-\x7E]{1,400}$/);
  });

  it('identify a sign-in by the claim that the operator configured', () => {
    const expected = { ...EXPECTED, sessionClaim: 'sid' };
    expect(read({ sid: 'laptop' }, expected)).toMatchObject({ principal: { session: 'laptop' } });
    expect(read({}, expected)).not.toHaveProperty('principal.session');
    expect(read({ sid: 'laptop' })).not.toHaveProperty('principal.session');
    expect(read({ sid: 7 }, expected)).toMatchObject({
      reason: 'malformed',
      fault: expect.stringMatching(/claim sid/),
    });
  });

  describe('without an audience, where the operator lists client ids', () => {
    const expected = { ...EXPECTED, clientIds: ['client', 'other'] };
    const cognito = { aud: ABSENT, token_use: 'access' };

    it('name a principal if they declare an access token [security 9]', () => {
      for (const source of ['jwt', 'introspection'] as const) {
        expect(read(cognito, expected, source)).toMatchObject({ principal: { clientId: 'client' } });
      }
    });

    it.each<[what: string, changes: Record<string, unknown>, reason: TokenFaultReason]>([
      ['they do not say so', { token_use: ABSENT }, 'audience'],
      ['they say it otherwise', { token_use: 'access_token' }, 'audience'],
      ['they are those of an ID token', { token_use: 'id' }, 'id_token'],
      ['their client is not listed', { client_id: 'unlisted' }, 'client'],
      ['a listed client in another claim only', { client_id: 'unlisted', azp: 'client' }, 'client'],
      ['they name another audience', { aud: 'https://other.test/mcp' }, 'audience'],
      ['their audience is empty', { aud: '' }, 'audience'],
      ['their audiences are none', { aud: [] }, 'audience'],
      ['their audience is nothing', { aud: null }, 'malformed'],
    ])('name no principal if %s [security 9]', (_what, changes, reason) => {
      expect(read({ ...cognito, ...changes }, expected)).toMatchObject({ reason });
    });

    it('name a principal if they have the audience and a listed client', () => {
      expect(read({}, expected)).toHaveProperty('principal');
      expect(read({ client_id: 'unlisted' }, expected)).toMatchObject({ reason: 'client' });
    });
  });

  it.each([undefined, null, 'text', 7, []])('are refused when they are %o', (claims) => {
    expect(readClaims(claims, 'introspection', EXPECTED, NOW)).toHaveProperty('fault');
  });

  it('identify the user by the configured claim only [security 4]', () => {
    const expected = { ...EXPECTED, subjectClaim: 'oid' };
    expect(read({ oid: 'the-same-everywhere' }, expected)).toMatchObject({
      principal: { subject: 'the-same-everywhere' },
    });
    expect(read({}, expected)).toMatchObject({ reason: 'subject', fault: expect.stringMatching(/\(oid\)/) });
  });

  it.each(['constructor', '__proto__', 'toString'])('do not inherit a claim called %s', (subjectClaim) => {
    expect(read({}, { ...EXPECTED, subjectClaim })).toHaveProperty('fault');
  });
});
