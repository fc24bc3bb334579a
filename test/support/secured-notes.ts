import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { type NotesApi, startNotesApi } from '../../packages/server/src/sample/notes-api.js';
import { registerNotesTools } from '../../packages/server/src/sample/notes-tools.js';
import { createCredentials } from '../../packages/server/src/sample/provider-clients.js';
import {
  type AccessOptions,
  type Branding,
  createSessions,
  type DeviceFlow,
  type Sessions,
  type SessionsOptions,
} from '../../packages/sessions/src/index.js';
import { Journal } from './journal.js';
import { type RegisteredClient, registerMcpClient } from './mcp-tokens.js';
import { type ProxiedIdentityProvider, startProxiedIdentityProvider } from './proxied-identity-provider.js';
import type { RawWay } from './raw-mcp.js';
import { listenShared, sharedNodes } from './shared-sessions.js';
import { StepBrowser } from './step-browser.js';
import { startTlsProxy } from './tls-proxy.js';

/** How clients get access, and how the server verifies the user who completes a login. */
export const SETTINGS = [
  'same issuer',
  'sign-in',
  'code, with bearer tokens',
  'code, in open access',
] as const;
export type Setting = (typeof SETTINGS)[number];

const RESOURCE = 'urn:test:notes';

/** A line of the audit log. */
type AuditLine = Readonly<Record<string, unknown>>;

/** The sample behind a TLS proxy with a public URL, as an operator deploys it. */
export interface SecuredNotes {
  readonly mcp: string;
  readonly origin: string;
  readonly sessions: Sessions;
  /** The provider of logins. */
  readonly upstream: ProxiedIdentityProvider;
  /** The issuer of client tokens: the upstream provider or another one. Unused in open access. */
  readonly authorizationServer: ProxiedIdentityProvider;
  readonly audit: Journal<AuditLine>;
  /** The headers and the agent of a client of a user. */
  wayOf(username: string): Promise<RawWay>;
  /** A new browser without cookies. */
  browser(): StepBrowser;
  close(): Promise<void>;
}

export interface SecuredNotesOptions {
  /** Default: off. */
  readonly deviceFlow?: DeviceFlow | undefined;
  readonly branding?: Branding | undefined;
}

export async function startSecuredNotes(
  setting: Setting,
  { deviceFlow, branding }: SecuredNotesOptions = {},
): Promise<SecuredNotes> {
  const proxy = await startTlsProxy();
  const mcp = `${proxy.origin}/mcp`;
  const client = createCredentials('mcp-sessions');
  const resourceServer = createCredentials('notes-api');
  const registrations = {
    client,
    resourceServer,
    resource: RESOURCE,
    servesMcpClients: true,
    offersDeviceFlow: deviceFlow !== undefined,
  };
  const upstream = await startProxiedIdentityProvider({
    ...registrations,
    redirectUri: `${proxy.origin}/callback`,
  });
  const isShared = setting === 'same issuer' || setting === 'code, in open access';
  const authorizationServer = isShared
    ? upstream
    : await startProxiedIdentityProvider({ ...registrations, redirectUri: `${proxy.origin}/login/sign-in` });
  const api: NotesApi = await startNotesApi({
    port: 0,
    issuer: upstream.issuer,
    credentials: resourceServer,
    resource: RESOURCE,
  });
  const audit = new Journal<AuditLine>();
  const options: SessionsOptions = {
    server: { name: 'notes', version: '1.0.0' },
    tools: registerNotesTools(api.origin),
    providers: {
      name: 'sample',
      issuer: upstream.issuer,
      ...client,
      scopes: ['openid', 'profile', 'notes'],
      authorizationParams: { resource: RESOURCE },
      deviceFlow,
      apiOrigins: [api.origin],
    },
    branding,
    publicUrl: proxy.origin,
    access: accessOf(setting, authorizationServer.issuer, client),
    lifetimes: { shutdownDrainMs: 1000 },
    logger: pino({ level: 'info' }, { write: (line) => audit.add(JSON.parse(line)) }),
  };
  const { sessions, inside, close } = await served(options);
  proxy.forwardTo(inside);
  let registered: Promise<RegisteredClient> | undefined;
  return {
    mcp,
    origin: proxy.origin,
    sessions,
    upstream,
    authorizationServer,
    audit,
    async wayOf(username) {
      if (setting === 'code, in open access') return { agent: proxy.agent };
      registered ??= registerMcpClient(authorizationServer.issuer, mcp);
      const authorization = `Bearer ${await (await registered).tokenFor(username)}`;
      return { headers: { authorization }, agent: proxy.agent };
    },
    browser: () => new StepBrowser(proxy.agent),
    async close() {
      await proxy.close();
      await close();
      await Promise.all([api.close(), upstream.close(), isShared || authorizationServer.close()]);
    },
  };
}

/** One server, or several behind a load balancer, and the address behind the proxy. */
async function served(options: SessionsOptions) {
  const nodes = sharedNodes();
  if (nodes !== undefined) {
    const { sessions, mcp } = await listenShared(nodes, options);
    return { sessions, inside: new URL(mcp).origin, close: () => sessions.close() };
  }
  const sessions = createSessions(options);
  const inner = createServer(sessions.middleware);
  await new Promise<void>((resolve) => inner.listen(0, '127.0.0.1', resolve));
  const close = async () => {
    await sessions.close();
    inner.closeAllConnections();
    inner.close();
  };
  // The address of a listening TCP server is an AddressInfo.
  return { sessions, inside: `http://127.0.0.1:${(inner.address() as AddressInfo).port}`, close };
}

function accessOf(
  setting: Setting,
  issuer: string,
  signIn: { clientId: string; clientSecret: string },
): AccessOptions {
  const bearer = { issuer, requiredScopes: ['mcp'] };
  switch (setting) {
    case 'code, in open access':
      return 'open-to-network';
    case 'sign-in':
      return { ...bearer, signIn };
    case 'same issuer':
    case 'code, with bearer tokens':
      return bearer;
  }
}
