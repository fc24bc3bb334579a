import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type AccessOptions, accessSettings } from '../access/access-options.js';
import { clientKeyOf } from '../limits/client-key.js';
import { DEFAULT_LIMITS } from '../limits/limits.js';
import { SessionEvents } from '../session/session-events.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Deadlines } from '../time/deadlines.js';
import { type ComposeAccessOptions, composeAccess } from './compose-access.js';

const PUBLIC_URL = new URL('https://mcp.test');

function accessOptions(): ComposeAccessOptions {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => {
    throw error;
  });
  const events = new SessionEvents(() => undefined);
  return { publicUrl: () => PUBLIC_URL, clock, deadlines, limits: DEFAULT_LIMITS, fetch, events };
}

/** An authorization server with the endpoints that verifying its tokens needs. */
async function startIssuer() {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = await exportJWK(publicKey);
  const answers: Record<string, unknown> = { '/jwks': { keys: [jwk] } };
  const http = createServer((request, response) => {
    const answer = answers[request.url ?? ''];
    response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  // A TCP server that listens has an AddressInfo.
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  answers['/.well-known/oauth-authorization-server'] = {
    issuer,
    jwks_uri: `${issuer}/jwks`,
    token_endpoint: `${issuer}/token`,
    introspection_endpoint: `${issuer}/introspect`,
  };
  const tokenFor = (audience: string, claims: Record<string, unknown> = {}) =>
    new SignJWT({ client_id: 'client', ...claims })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(issuer)
      .setSubject('alice')
      .setAudience(audience)
      .setExpirationTime(typeof claims.exp === 'number' ? claims.exp : '1 minute')
      .sign(privateKey);
  const admitWith = async (options: Partial<Extract<AccessOptions, object>>, token: string) => {
    const settings = accessSettings({ issuer, ...options });
    return composeAccess(settings, accessOptions()).admit({
      authorization: `Bearer ${token}`,
      origin: 'remote',
      clientKey: undefined,
    });
  };
  return { issuer, answers, tokenFor, admitWith };
}

describe('composed access', () => {
  it('accepts tokens whose audience is the endpoint, exactly, or the configured one [security 9]', async () => {
    const { tokenFor, admitWith } = await startIssuer();
    const admitted = { isAdmitted: true, principal: { subject: 'alice', clientId: 'client' } };
    expect(await admitWith({}, await tokenFor('https://mcp.test/mcp'))).toMatchObject(admitted);
    for (const other of ['https://mcp.test', 'https://mcp.test/', 'https://mcp.test/mcp/', 'api://mcp']) {
      expect(await admitWith({}, await tokenFor(other))).toMatchObject({ refusal: { status: 401 } });
    }
    const audience = 'api://mcp';
    expect(await admitWith({ audience }, await tokenFor(audience))).toMatchObject(admitted);
    expect(await admitWith({ audience }, await tokenFor('https://mcp.test/mcp'))).toMatchObject({
      refusal: { status: 401 },
    });
  });

  it('uses the configured subject claim and scopes', async () => {
    const { tokenFor, admitWith } = await startIssuer();
    const token = await tokenFor('https://mcp.test/mcp', { oid: 'object-id', scope: 'mcp' });
    expect(await admitWith({ subjectClaim: 'oid', requiredScopes: ['mcp'] }, token)).toMatchObject({
      principal: { subject: 'object-id', scopes: ['mcp'] },
    });
    expect(await admitWith({ requiredScopes: ['notes'] }, token)).toMatchObject({ refusal: { status: 403 } });
  });

  it('introspects opaque tokens if it has credentials', async () => {
    const { issuer, answers, admitWith } = await startIssuer();
    const aud = 'https://mcp.test/mcp';
    answers['/introspect'] = { active: true, iss: issuer, sub: 'bob', client_id: 'client', aud };
    const introspection = { clientId: 'mcp', clientSecret: 'secret' };
    expect(await admitWith({ introspection }, 'opaque')).toMatchObject({ principal: { subject: 'bob' } });
    expect(await admitWith({}, 'opaque')).toMatchObject({ refusal: { status: 401 } });
  });

  it('accepts valid JWTs from an address that has sent too many invalid ones, but no opaque tokens [security 41]', async () => {
    const { issuer, answers, tokenFor } = await startIssuer();
    const aud = 'https://mcp.test/mcp';
    answers['/introspect'] = { active: true, iss: issuer, sub: 'bob', client_id: 'client', aud };
    const introspection = { clientId: 'mcp', clientSecret: 'secret' };
    const limits = { refusedTokensPerMinute: 3 };
    const access = composeAccess(accessSettings({ issuer, introspection }), { ...accessOptions(), limits });
    const send = (token: string) =>
      access.admit({
        authorization: `Bearer ${token}`,
        origin: 'remote',
        clientKey: clientKeyOf('192.0.2.1'),
      });
    const bad = await Promise.all(
      [1, 2, 3, 4, 5].map((jti) => tokenFor('https://other.test', { jti: `${jti}` })),
    );
    const statuses: (number | true)[] = [];
    for (const token of bad) {
      const admission = await send(token);
      statuses.push(admission.isAdmitted || admission.refusal.status);
    }
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect(await send(await tokenFor(aud))).toMatchObject({ isAdmitted: true });
    expect(await send(await tokenFor(aud, { exp: 1 }))).toMatchObject({ refusal: { status: 401 } });
    expect(await send('opaque')).toMatchObject({ refusal: { status: 429 } });
  });

  it('returns the metadata of its authorization server, or why there is none', async () => {
    const { issuer, answers } = await startIssuer();
    const access = composeAccess(accessSettings({ issuer }), accessOptions());
    await expect(access.issuerMetadata?.()).resolves.toMatchObject({ issuer });
    delete answers['/.well-known/oauth-authorization-server'];
    const other = composeAccess(accessSettings({ issuer }), accessOptions());
    await expect(other.issuerMetadata?.()).rejects.toMatchObject({ code: 'provider_refused' });
  });

  it('depends on the origin of the request in open access', async () => {
    const far = { authorization: null, origin: 'remote', clientKey: undefined } as const;
    expect(await composeAccess('open', accessOptions()).admit(far)).toMatchObject({ isAdmitted: false });
    expect(await composeAccess('open-to-network', accessOptions()).admit(far)).toMatchObject({
      isAdmitted: true,
    });
  });
});
