import { type NotesApi, startNotesApi } from '../../packages/server/src/sample/notes-api.js';
import { registerNotesTools } from '../../packages/server/src/sample/notes-tools.js';
import { createCredentials } from '../../packages/server/src/sample/provider-clients.js';
import type {
  DeviceFlow,
  Lifetimes,
  RegisterTools,
  SessionEvent,
  Sessions,
  SessionsOptions,
} from '../../packages/sessions/src/index.js';
import { createSessionsWith } from '../../packages/sessions/src/server/create-sessions.js';
import { type CreatePorts, createMapPorts } from '../../packages/sessions/src/store/ports.js';
import {
  type McpTokenFormat,
  type ProxiedIdentityProvider,
  startProxiedIdentityProvider,
} from './proxied-identity-provider.js';
import { type ListeningSessions, listenShared, sharedNodes } from './shared-sessions.js';

export interface InProcessNotesOptions {
  /** Registered beside the notes tools. */
  readonly tools?: RegisterTools;
  /** Further API origins besides the notes API. */
  readonly apiOrigins?: readonly string[];
  readonly branding?: SessionsOptions['branding'];
  readonly lifetimes?: Partial<Lifetimes>;
  readonly logger?: SessionsOptions['logger'];
  /** How clients get access. A function gets the identity provider. */
  readonly access?: SessionsOptions['access'] | ((provider: AccessProvider) => SessionsOptions['access']);
  /** The format of access tokens for MCP servers. Default: JWTs. */
  readonly mcpTokens?: McpTokenFormat;
  readonly trustedProxies?: SessionsOptions['trustedProxies'];
  readonly limits?: SessionsOptions['limits'];
  readonly runtime?: SessionsOptions['runtime'];
  /** The engine of several servers. Default: none. */
  readonly cluster?: SessionsOptions['cluster'];
  /** Default: the stores of this process. */
  readonly createPorts?: CreatePorts;
  /** Default: off. */
  readonly deviceFlow?: DeviceFlow;
}

/** An identity provider that issues tokens for MCP servers. */
interface AccessProvider {
  readonly issuer: string;
  /** The credentials for introspection. */
  readonly introspection: { readonly clientId: string; readonly clientSecret: string };
}

/** The sample in the process of the test, which can inspect it and delay its provider. */
export interface InProcessNotes {
  readonly mcp: string;
  readonly provider: ProxiedIdentityProvider;
  readonly api: NotesApi;
  readonly sessions: Sessions;
  /** The session events so far. */
  readonly events: readonly SessionEvent[];
  /** Resolves with the first event from now on that matches. */
  next(fits: (event: SessionEvent) => boolean): Promise<SessionEvent>;
  close(): Promise<void>;
}

const RESOURCE = 'urn:test:notes';

export async function startInProcessNotes(options: InProcessNotesOptions = {}): Promise<InProcessNotes> {
  const client = createCredentials('mcp-sessions');
  const resourceServer = createCredentials('notes-api');
  const { access: accessOf, mcpTokens } = options;
  const provider = await startProxiedIdentityProvider({
    client,
    resourceServer,
    resource: RESOURCE,
    servesMcpClients: typeof accessOf === 'function',
    mcpTokens,
    offersDeviceFlow: options.deviceFlow !== undefined,
  });
  const { issuer } = provider;
  const access =
    typeof accessOf === 'function' ? accessOf({ issuer, introspection: resourceServer }) : accessOf;
  const api = await startNotesApi({ port: 0, issuer, credentials: resourceServer, resource: RESOURCE });
  const registerNotes = registerNotesTools(api.origin);
  const sessionsOptions: SessionsOptions = {
    server: { name: 'notes', version: '1.0.0' },
    tools: (server, context) => {
      registerNotes(server, context);
      options.tools?.(server, context);
    },
    providers: {
      name: 'sample',
      issuer,
      ...client,
      scopes: ['openid', 'profile', 'notes'],
      authorizationParams: { resource: RESOURCE },
      deviceFlow: options.deviceFlow,
      apiOrigins: [api.origin, ...(options.apiOrigins ?? [])],
    },
    branding: options.branding,
    lifetimes: { shutdownDrainMs: 1000, ...options.lifetimes },
    trustedProxies: options.trustedProxies,
    limits: options.limits,
    runtime: options.runtime,
    cluster: options.cluster,
    ...(access && { access }),
    ...(options.logger && { logger: options.logger }),
  };
  const { sessions, mcp } = await listening(sessionsOptions, options.createPorts);
  const events: SessionEvent[] = [];
  sessions.onEvent((event) => events.push(event));
  return {
    mcp,
    provider,
    api,
    sessions,
    events,
    next: (fits) =>
      new Promise((resolve) => {
        const unsubscribe = sessions.onEvent((event) => {
          if (!fits(event)) return;
          unsubscribe();
          resolve(event);
        });
      }),
    close: async () => {
      await sessions.close();
      await Promise.all([api.close(), provider.close()]);
    },
  };
}

/** A test with its own stores or clock has one server in any case: several servers share both. */
async function listening(options: SessionsOptions, createPorts?: CreatePorts): Promise<ListeningSessions> {
  const nodes = sharedNodes();
  if (nodes !== undefined && !createPorts && !options.runtime?.clock) return listenShared(nodes, options);
  const sessions = createSessionsWith(createPorts ?? createMapPorts, options);
  const { url: mcp } = await sessions.listen({ port: 0 });
  return { sessions, mcp };
}
