import { sign as createSignature, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessions, type SessionEvent, type Sessions } from '../../packages/sessions/src/index.js';
import { request2026, send } from '../support/raw-mcp.js';

const status = request2026('tools/call', { name: 'session_status', arguments: {} });

/** An authorization server whose tokens and responses a test defines. */
let issuer: string;
let sign: (claims: Record<string, unknown>) => string;
let introspected: Record<string, unknown>;
let sessions: Sessions;
let cognito: Sessions;
let mcp: string;
let lenient: string;
const lines: string[] = [];
const events: SessionEvent[] = [];
const closing: (() => void)[] = [];

beforeAll(async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256' };
  const http = createServer((request, response) => {
    const answers: Record<string, unknown> = {
      '/.well-known/openid-configuration': {
        issuer,
        jwks_uri: `${issuer}/jwks`,
        token_endpoint: `${issuer}/token`,
        introspection_endpoint: `${issuer}/introspect`,
      },
      '/jwks': { keys: [jwk] },
      '/introspect': introspected,
    };
    const answer = answers[request.url ?? ''];
    response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  // The address of a listening TCP server is an AddressInfo.
  issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  closing.push(() => {
    http.closeAllConnections();
    http.close();
  });
  sign = (claims) => {
    const parts = [{ alg: 'ES256', kid: 'k' }, claims].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const;
    const signature = createSignature('sha256', Buffer.from(parts.join('.')), key);
    return [...parts, signature.toString('base64url')].join('.');
  };
  const common = {
    server: { name: 'guarded', version: '1.0.0' },
    providers: { issuer, clientId: 'test' },
    tools: () => undefined,
  };
  const introspection = { clientId: 'mcp', clientSecret: 'secret' };
  sessions = createSessions({
    ...common,
    access: { issuer, introspection, requiredScopes: ['mcp'] },
    logger: pino({ level: 'info' }, { write: (line) => void lines.push(line) }),
  });
  sessions.onEvent((event) => events.push(event));
  mcp = (await sessions.listen({ port: 0 })).url;
  cognito = createSessions({ ...common, access: { issuer, introspection, clientIds: ['app'] } });
  lenient = (await cognito.listen({ port: 0 })).url;
});
afterAll(async () => {
  await Promise.all([sessions.close(), cognito.close()]);
  for (const close of closing) close();
});

const good = (): Record<string, unknown> => ({
  iss: issuer,
  aud: mcp,
  sub: 'alice',
  client_id: 'app',
  scope: 'mcp',
  exp: Math.floor(Date.now() / 1000) + 600,
});
const bring = (token: string, to = mcp) =>
  send(to, { ...status, headers: { ...status.headers, authorization: `Bearer ${token}` } });

type Changes = Record<string, unknown>;
const FAULTS: readonly [what: string, changes: Changes, reason: string, says: RegExp][] = [
  [
    'no audience',
    { aud: undefined },
    'audience',
    /names no audience \(aud\); this server expects http:\S+\/mcp\. /,
  ],
  [
    'another audience',
    { aud: 'https://other.test/mcp' },
    'audience',
    /aud\) is https:\/\/other\.test\/mcp; this/,
  ],
  [
    'another issuer',
    { iss: 'https://other.test' },
    'issuer',
    /is https:\/\/other\.test; this server accepts/,
  ],
  ['an issuer that is not a string', { iss: 7 }, 'malformed', /iss has the wrong type/],
  ['an expiry in the past', { exp: 1 }, 'expired', /It has expired/],
  ['a start in the future', { nbf: 4_000_000_000 }, 'not_yet_valid', /not valid yet/],
  ['a DPoP key', { cnf: { jkt: 'thumb' } }, 'key_bound', /bound to a key/],
  ['a certificate', { cnf: { 'x5t#S256': 'thumb' } }, 'key_bound', /bound to a key/],
  ['the use of a refresh token', { token_use: 'refresh' }, 'refresh_token', /refresh token/],
  ['the type of a refresh token', { typ: 'Refresh' }, 'refresh_token', /refresh token/],
  ['the claims of an ID token', { at_hash: 'h', nonce: 'n' }, 'id_token', /ID token/],
  ['the use of an ID token', { token_use: 'id' }, 'id_token', /ID token/],
  ['the type of another token', { typ: 'Logout' }, 'token_type', /typ is Logout/],
  ['no subject', { sub: undefined }, 'subject', /name its user/],
  ['no client', { client_id: undefined }, 'client', /name the client/],
  ['quotation marks and line ends', { aud: 'a"\\\r\nb' }, 'audience', /\(aud\) is a\?\?\?\?b; this server/],
];

describe.each(['a JWT', 'an introspected token'])('%s', (source) => {
  const tokenOf = (changes: Changes) => {
    if (source === 'a JWT') return sign({ ...good(), ...changes });
    introspected = { active: true, ...good(), ...changes };
    return `opaque-${changes.index}`;
  };

  it.each(FAULTS.map(([what, ...fault], index) => [index, what, fault] as const))(
    '%i: with %s is refused, and the client and the log get the reason [security 9, 48, 49]',
    async (index, _what, [changes, reason, says]) => {
      const token = tokenOf({ ...changes, index });
      const answer = await bring(token);
      expect(answer.status).toBe(401);
      const challenge = String(answer.headers['www-authenticate']);
      const [, description = ''] = /error="invalid_token", error_description="([^"]*)"/.exec(challenge) ?? [];
      expect(description).toMatch(says);
      expect(description).toMatch(/^[\x20\x21\x23-\x5B\x5D-\x7E]{1,500}$/);
      expect(events.at(-1)).toMatchObject({ type: 'token.refused', reason });
      expect(lines.some((line) => JSON.parse(line).reason === reason)).toBe(true);
      expect(lines.join('')).not.toContain(token);
    },
  );
});

describe('a token of Amazon Cognito, which has no audience', () => {
  const token = (changes: Changes = {}) =>
    sign({ ...good(), aud: undefined, token_use: 'access', ...changes });

  it('is accepted only if its client is listed [security 9]', async () => {
    expect((await bring(token(), lenient)).status).toBe(200);
    expect((await bring(token())).status).toBe(401);
    expect((await bring(token({ client_id: 'another' }), lenient)).status).toBe(401);
    expect((await bring(token({ token_use: undefined }), lenient)).status).toBe(401);
  });
});

describe('a token without a required scope', () => {
  it('is refused with 403, and the refusal is logged', async () => {
    const answer = await bring(sign({ ...good(), scope: 'other' }));
    expect(answer.status).toBe(403);
    expect(answer.headers['www-authenticate']).toMatch(/error="insufficient_scope".*lacks the scope mcp/);
    expect(events.at(-1)).toMatchObject({ type: 'token.refused', reason: 'scope' });
  });
});

describe('a valid token', () => {
  it('is accepted, as a JWT and by introspection', async () => {
    expect((await bring(sign(good()))).status).toBe(200);
    introspected = { active: true, token_type: 'Bearer', ...good() };
    expect((await bring('good-and-opaque')).status).toBe(200);
  });
});
