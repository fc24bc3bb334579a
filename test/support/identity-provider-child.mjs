// The sample's identity provider and notes API in their own process. The parent sends the options, receives
// every issued token, and ends the process by closing the channel.
import { startIdentityProvider } from '../../packages/server/dist/sample/identity-provider.js';
import { startNotesApi } from '../../packages/server/dist/sample/notes-api.js';

process.once('disconnect', () => process.exit(0));

process.once('message', async ({ apiPort, ...options }) => {
  const { resourceServer, resource } = options;
  const { issuer } = await startIdentityProvider({
    ...options,
    onTokenIssued: (token) => process.send({ token }),
  });
  const api = await startNotesApi({ port: apiPort, issuer, credentials: resourceServer, resource });
  process.send({ issuer, api: api.origin });
});
