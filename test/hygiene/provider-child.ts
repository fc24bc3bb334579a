/** The identity provider, in a process of its own. It reports the issued tokens. */
import { startIdentityProvider } from '../../packages/server/src/sample/identity-provider.js';
import { createCredentials } from '../../packages/server/src/sample/provider-clients.js';
import { answerParent } from '../support/answer-parent.js';
import type { Upstream } from './upstream.js';

const RESOURCE = 'urn:test:hygiene';
/** Long enough that no token is refreshed during the measurement. */
const ACCESS_TOKEN_SECONDS = 3600;

const issued: string[] = [];

answerParent({
  async start(): Promise<Upstream> {
    const client = createCredentials('mcp-sessions');
    const { issuer } = await startIdentityProvider({
      port: 0,
      accessTokenSeconds: ACCESS_TOKEN_SECONDS,
      client,
      resourceServer: createCredentials('api'),
      resource: RESOURCE,
      onTokenIssued: (token) => issued.push(token),
    });
    return { issuer, ...client, resource: RESOURCE };
  },
  issued: () => issued,
});
