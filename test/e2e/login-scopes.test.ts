import { describe, expect, it, onTestFinished } from 'vitest';
import { createCredentials } from '../../packages/server/src/sample/provider-clients.js';
import type { StartLoginOptions } from '../../packages/sessions/src/login/login-starts.js';
import { quietLogger } from '../../packages/sessions/src/observe/logger.js';
import { composeLogins } from '../../packages/sessions/src/server/compose-logins.js';
import { composeSessions } from '../../packages/sessions/src/server/compose-sessions.js';
import { PublicUrl } from '../../packages/sessions/src/server/public-url.js';
import { sessionsSettings } from '../../packages/sessions/src/server/settings.js';
import { snapshotOf } from '../../packages/sessions/src/session/session-record.js';
import { createMapPorts } from '../../packages/sessions/src/store/ports.js';
import { systemClock } from '../../packages/sessions/src/time/clock.js';
import { systemRandom } from '../../packages/sessions/src/vault/random.js';
import { startProxiedIdentityProvider } from '../support/proxied-identity-provider.js';
import { StepBrowser } from '../support/step-browser.js';

const COOKIE = 'cookie';

/** A session whose user logs in at a real identity provider; its configured scope is `openid`. */
async function startSession() {
  const client = createCredentials('mcp-sessions');
  const provider = await startProxiedIdentityProvider({
    client,
    resourceServer: createCredentials('notes-api'),
    resource: 'urn:test:notes',
  });
  onTestFinished(() => provider.close());
  const settings = sessionsSettings({
    server: { name: 'notes', version: '1.0.0' },
    tools: () => undefined,
    providers: {
      name: 'sample',
      issuer: provider.issuer,
      ...client,
      scopes: ['openid'],
    },
  });
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const environment = {
    clock: systemClock,
    random: systemRandom,
    fetch: globalThis.fetch,
    createPorts: createMapPorts,
    logger: quietLogger(undefined),
    onError,
    onProtocolError: onError,
  };
  const parts = composeSessions(settings, environment);
  const publicUrl = new PublicUrl(new URL('http://127.0.0.1:1'));
  const { logins } = composeLogins(settings, environment, parts, publicUrl);
  const { registry } = parts;
  const { record } = await registry.start('connection', 'anonymous');
  const source = {
    clientName: undefined,
    origin: 'local',
    initiator: undefined,
    clientKey: undefined,
  } as const;
  const start = (options: Pick<StartLoginOptions, 'scopes'> = {}) =>
    logins.start(snapshotOf(record), { provider: 'sample', source, ...options });
  const requestedIn = (url: URL | undefined) => url?.searchParams.get('scope')?.split(' ');

  /** Opens the link of a login, and logs in. @returns the requested scopes */
  const logIn = async (loginUrl: string) => {
    const attemptId = loginUrl.slice(loginUrl.lastIndexOf('/') + 1);
    const shown = (await logins.browserFlow.connectRequest(attemptId))?.scopes;
    const consented = await logins.browserFlow.consent(attemptId, COOKIE);
    if (consented?.kind !== 'continue') throw new Error('This login is not pending.');
    const { url } = consented;
    const callback = await new StepBrowser().authorize(url, { username: 'alice', password: 'any' });
    const result = await logins.browserFlow.handleCallback({
      path: callback.pathname,
      query: callback.searchParams,
      cookieOf: () => COOKIE,
      cookies: () => [COOKIE],
      origin: 'local',
    });
    expect({ result, errors }).toMatchObject({ result: { kind: 'authenticated' }, errors: [] });
    expect(requestedIn(url)).toEqual(shown);
    return shown;
  };
  const grantedScopes = async () => (await registry.get(record.ref))?.accounts.sample?.scopes;
  return { start, logIn, grantedScopes };
}

describe('a login with additional scopes', () => {
  it('requests them besides the configured ones, and the account has them', async () => {
    const { start, logIn, grantedScopes } = await startSession();
    const { loginUrl } = await start({ scopes: ['profile', 'openid'] });
    expect(await logIn(loginUrl)).toEqual(['openid', 'profile']);
    expect(await grantedScopes()).toEqual(['openid', 'profile']);
  });

  it('requests no scopes of an earlier login by itself', async () => {
    const { start, logIn } = await startSession();
    await logIn((await start({ scopes: ['profile'] })).loginUrl);
    const requested = await logIn((await start({ scopes: ['offline_access'] })).loginUrl);
    expect(requested).toEqual(['openid', 'offline_access']);
  });

  it('supersedes a pending login without them, and is the pending one for fewer', async () => {
    const { start, logIn } = await startSession();
    const plain = await start();
    const wide = await start({ scopes: ['profile'] });
    expect(wide).toMatchObject({ isNew: true });
    expect(wide.loginUrl).not.toBe(plain.loginUrl);
    expect(await start({ scopes: ['openid'] })).toMatchObject({ isNew: false, loginUrl: wide.loginUrl });
    expect(await start()).toMatchObject({ isNew: false, loginUrl: wide.loginUrl });
    await expect(logIn(plain.loginUrl)).rejects.toThrow('not pending');
  });

  it('is a login with the configured scopes if there are no others', async () => {
    const { start, logIn } = await startSession();
    expect(await logIn((await start()).loginUrl)).toEqual(['openid']);
  });
});
