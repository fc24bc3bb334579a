import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import {
  type ClientCredentials,
  createCredentials,
} from '../../packages/server/src/sample/provider-clients.js';
import { end, own } from './child-processes.js';
import { Journal } from './journal.js';

const CHILD = fileURLToPath(new URL('./identity-provider-child.mjs', import.meta.url));
/** The tools module of an operator, which calls the notes API at `NOTES_API`. */
const NOTES_TOOLS = fileURLToPath(new URL('./notes-tools.mjs', import.meta.url));
const RESOURCE = 'urn:test:notes';
const toolFlags = ['--tools', NOTES_TOOLS];

export interface IdentityProviderProcessOptions {
  /** Default: 120. */
  readonly accessTokenSeconds?: number;
  /** Whether MCP clients may register and get tokens. Default: false. */
  readonly servesMcpClients?: boolean;
  /** Default: false. */
  readonly offersDeviceFlow?: boolean;
}

/** An introspection response (RFC 7662). */
type Introspection = z.infer<typeof introspectionSchema>;

/** The identity provider and the notes API of the sample, in their own process. */
export interface IdentityProviderProcess {
  readonly issuer: string;
  /** The notes API. */
  readonly api: string;
  /** Every access and refresh token, as it is issued. */
  readonly issued: Journal<string>;
  /** Flags that give a server tools for the notes API. */
  readonly toolFlags: readonly string[];
  /** Flags of a server with this provider. */
  readonly serverFlags: readonly string[];
  /** The environment of such a server. */
  readonly serverEnvironment: Readonly<Record<string, string>>;
  introspect(token: string): Promise<Introspection>;
  /** The issued tokens that are still valid. */
  activeTokens(): Promise<string[]>;
  /** Ends the process. Connections to its ports are accepted and closed. */
  goDown(): Promise<void>;
  /** Starts the process again, with the same ports and client. It does not know earlier tokens. */
  comeBack(): Promise<void>;
  /** Stops the process with SIGSTOP: connections are accepted, and requests get no response. */
  freeze(): void;
  stop(): Promise<void>;
}

const introspectionSchema = z.looseObject({ active: z.boolean(), sub: z.string().optional() });
const addressesSchema = z.object({ issuer: z.string(), api: z.string() });
const messageSchema = z.union([addressesSchema, z.object({ token: z.string() })]);
const metadataSchema = z.object({ introspection_endpoint: z.string() });

export async function startIdentityProviderProcess({
  accessTokenSeconds = 120,
  ...offered
}: IdentityProviderProcessOptions = {}): Promise<IdentityProviderProcess> {
  const client = createCredentials('mcp-sessions');
  const resourceServer = createCredentials('notes-api');
  const settings = { ...offered, accessTokenSeconds, client, resourceServer, resource: RESOURCE };
  const issued = new Journal<string>();
  let { child, issuer, api } = await startChild({ ...settings, port: 0, apiPort: 0 }, issued);
  const ports = { port: portOf(issuer), apiPort: portOf(api) };
  const introspect = await introspectionAt(issuer, client);
  let placeholders: Server[] = [];
  const freePorts = async () => {
    await Promise.all(placeholders.map((server) => once(server.close(), 'close')));
    placeholders = [];
  };
  return {
    issuer,
    api,
    issued,
    toolFlags,
    serverFlags: ['--port', '0', ...toolFlags],
    serverEnvironment: providerEnvironment(issuer, api, client),
    introspect,
    async activeTokens() {
      const tokens = [...issued.entries];
      const answers = await Promise.all(tokens.map(introspect));
      return tokens.filter((_token, index) => answers[index]?.active);
    },
    async goDown() {
      await end(child, 'SIGKILL');
      placeholders = await Promise.all([refuseConnections(ports.port), refuseConnections(ports.apiPort)]);
    },
    async comeBack() {
      await freePorts();
      ({ child } = await startChild({ ...settings, ...ports }, issued));
    },
    freeze() {
      child.kill('SIGSTOP');
    },
    async stop() {
      await freePorts();
      // The only signal that ends a stopped process.
      await end(child, 'SIGKILL');
    },
  };
}

interface ChildSettings
  extends Pick<IdentityProviderProcessOptions, 'servesMcpClients' | 'offersDeviceFlow'> {
  readonly port: number;
  readonly apiPort: number;
  readonly accessTokenSeconds: number;
  readonly client: ClientCredentials;
  readonly resourceServer: ClientCredentials;
  readonly resource: string;
}

async function startChild(settings: ChildSettings, issued: Journal<string>) {
  const child = own(fork(CHILD, { execArgv: [], env: { PATH: process.env.PATH } }));
  const ready = new Promise<z.infer<typeof addressesSchema>>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The identity provider ended with code ${code}.`)));
    child.on('message', (received) => {
      const message = messageSchema.parse(received);
      if ('token' in message) issued.add(message.token);
      else resolve(message);
    });
  });
  child.send(settings);
  return { child, ...(await ready) };
}

const portOf = (origin: string): number => Number(new URL(origin).port);

async function refuseConnections(port: number): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function providerEnvironment(issuer: string, api: string, client: ClientCredentials): Record<string, string> {
  return {
    MCP_SESSIONS_ISSUER: issuer,
    MCP_SESSIONS_CLIENT_ID: client.clientId,
    MCP_SESSIONS_CLIENT_SECRET: client.clientSecret,
    MCP_SESSIONS_SCOPES: 'openid profile notes',
    MCP_SESSIONS_AUTHORIZATION_PARAMS: JSON.stringify({ resource: RESOURCE }),
    MCP_SESSIONS_API_ORIGINS: api,
    NOTES_API: api,
  };
}

/** Introspects tokens as the client that they were issued to. For the API, every refresh token is inactive. */
async function introspectionAt(
  issuer: string,
  { clientId, clientSecret }: ClientCredentials,
): Promise<(token: string) => Promise<Introspection>> {
  const discovery = await fetch(`${issuer}/.well-known/openid-configuration`);
  const endpoint = metadataSchema.parse(await discovery.json()).introspection_endpoint;
  const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
  return async (token) => {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { authorization },
      body: new URLSearchParams({ token }),
    });
    return introspectionSchema.parse(await response.json());
  };
}
