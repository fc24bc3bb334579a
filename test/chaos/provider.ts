import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createCredentials } from '../../packages/server/src/sample/provider-clients.js';
import { end, own } from '../support/child-processes.js';
import { type ProviderSettings, providerMessageSchema, type TokenEvent } from './token-events.js';

/** The provider and the API, in their own process. */
export interface Provider {
  /** The environment of a server with this provider. */
  readonly environment: Readonly<Record<string, string>>;
  readonly clientSecret: string;
  stop(): Promise<unknown>;
}

const CHILD = fileURLToPath(new URL('./provider-child.js', import.meta.url));

/** @param onEvent called with each event, in order */
export async function startProvider(
  settings: Omit<ProviderSettings, 'client'>,
  onEvent: (event: TokenEvent) => void,
): Promise<Provider> {
  const client = createCredentials('chaos');
  const child = own(fork(CHILD, { execArgv: [], env: { PATH: process.env.PATH } }));
  const started = new Promise<{ issuer: string; api: string }>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The provider ended with code ${code}.`)));
    child.on('message', (received) => {
      const message = providerMessageSchema.parse(received);
      if ('event' in message) onEvent(message.event);
      else resolve(message);
    });
  });
  child.send({ ...settings, client } satisfies ProviderSettings);
  const { issuer, api } = await started;
  return {
    environment: {
      MCP_SESSIONS_ISSUER: issuer,
      MCP_SESSIONS_CLIENT_ID: client.clientId,
      MCP_SESSIONS_CLIENT_SECRET: client.clientSecret,
      MCP_SESSIONS_SCOPES: 'openid profile notes',
      MCP_SESSIONS_AUTHORIZATION_PARAMS: JSON.stringify({ resource: 'urn:chaos:api' }),
      MCP_SESSIONS_API_ORIGINS: api,
      CHAOS_API: api,
    },
    clientSecret: client.clientSecret,
    stop: () => end(child, 'SIGKILL'),
  };
}
