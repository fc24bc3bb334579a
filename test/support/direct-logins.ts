import { expect, onTestFinished } from 'vitest';
import { createCredentials } from '../../packages/server/src/sample/provider-clients.js';
import type { AuthorizationResponse } from '../../packages/sessions/src/login/browser/flow.js';
import type { StartLoginOptions } from '../../packages/sessions/src/login/login-starts.js';
import { quietLogger } from '../../packages/sessions/src/observe/logger.js';
import { composeLogins } from '../../packages/sessions/src/server/compose-logins.js';
import { composeSessions } from '../../packages/sessions/src/server/compose-sessions.js';
import { PublicUrl } from '../../packages/sessions/src/server/public-url.js';
import { sessionsSettings } from '../../packages/sessions/src/server/settings.js';
import { snapshotOf } from '../../packages/sessions/src/session/session-record.js';
import { type CreatePorts, createMapPorts } from '../../packages/sessions/src/store/ports.js';
import { systemClock } from '../../packages/sessions/src/time/clock.js';
import { systemRandom } from '../../packages/sessions/src/vault/random.js';
import { startProxiedIdentityProvider } from './proxied-identity-provider.js';
import { StepBrowser } from './step-browser.js';

const COOKIE = 'cookie';

/**
 * Logins of one session without its client: the user logs in at a real identity provider, whose configured scope is
 * `openid`. Each call of a login stands for one of the client or the browser.
 */
export async function startLogins(createPorts: CreatePorts = createMapPorts) {
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
    createPorts,
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

  /** Opens the link of a login, and logs in at the provider. @returns the requested scopes, and the response */
  const authorize = async (loginUrl: string) => {
    const attemptId = loginUrl.slice(loginUrl.lastIndexOf('/') + 1);
    const shown = (await logins.browserFlow.connectRequest(attemptId))?.scopes;
    const consented = await logins.browserFlow.consent(attemptId, COOKIE);
    if (consented?.kind !== 'continue') throw new Error('This login is not pending.');
    const { url } = consented;
    const callback = await new StepBrowser().authorize(url, { username: 'alice', password: 'any' });
    expect(requestedIn(url)).toEqual(shown);
    const response: AuthorizationResponse = {
      path: callback.pathname,
      query: callback.searchParams,
      cookieOf: () => COOKIE,
      cookies: () => [COOKIE],
      origin: 'local',
    };
    return { scopes: shown, response };
  };

  /** Opens the link of a login, and logs in. @returns the requested scopes */
  const logIn = async (loginUrl: string) => {
    const { scopes, response } = await authorize(loginUrl);
    const result = await logins.browserFlow.handleCallback(response);
    expect({ result, errors }).toMatchObject({ result: { kind: 'authenticated' }, errors: [] });
    return scopes;
  };
  const grantedScopes = async () => (await registry.get(record.ref))?.accounts.sample?.scopes;
  return { logins, record, start, authorize, logIn, grantedScopes };
}
