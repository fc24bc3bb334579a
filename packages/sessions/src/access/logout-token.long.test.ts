import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { expect, it } from 'vitest';
import { MAX_USED_PER_ISSUER } from '../limits/one-time-store.js';
import { MapOneTimeStore } from '../store/map-one-time-store.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { LogoutTokenVerifier } from './logout-token.js';

it('remembers a fixed number of used tokens, and forgets the oldest first [security 40]', async () => {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'EdDSA', use: 'sig' };
  const clock = new VirtualClock();
  const verifier = new LogoutTokenVerifier({
    issuer: async () => ({ issuer: 'https://provider.test', hasKeys: true }),
    clientId: 'mcp-server',
    toleranceSeconds: 60,
    clock,
    oneTime: new MapOneTimeStore(clock),
    requestKeys: async () => ({ keys: [jwk] }),
  });
  const sign = (id: number) =>
    new SignJWT({ sub: 'alice', events: { 'http://schemas.openid.net/event/backchannel-logout': {} } })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'k', typ: 'logout+jwt' })
      .setIssuer('https://provider.test')
      .setAudience('mcp-server')
      .setIssuedAt()
      .setJti(String(id))
      .sign(privateKey);
  const verify = async (id: number) => verifier.verify(await sign(id));
  for (let id = 0; id < MAX_USED_PER_ISSUER; id++) await verify(id);
  expect(await verify(0)).toEqual({ fault: 'replayed' });
  expect(await verify(MAX_USED_PER_ISSUER)).toHaveProperty('logout');
  expect(await verify(1)).toEqual({ fault: 'replayed' });
  expect(await verify(0)).toHaveProperty('logout');
});
