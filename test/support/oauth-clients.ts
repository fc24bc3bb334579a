import * as sdk2 from '@modelcontextprotocol/client';
import type { OAuthClientProvider as Sdk1OAuthProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { z } from 'zod';
import type { ToolAnswer } from './raw-mcp.js';
import { StepBrowser } from './step-browser.js';

/** The real clients, with their own OAuth. */
export const OAUTH_KINDS = ['SDK 1.x', 'SDK 2.x in 2025', 'SDK 2.x in 2026'] as const;
export type OAuthKind = (typeof OAUTH_KINDS)[number];

/** Nothing listens at this address: the browser does not follow the redirect. */
export const REDIRECT_URL = 'http://127.0.0.1:49998/callback';
const INFO = { name: 'oauth-client', version: '1.0.0' };

const resultSchema = z.looseObject({
  isError: z.boolean().default(false),
  content: z.array(z.looseObject({ text: z.string().default('') })).default([]),
  structuredContent: z.record(z.string(), z.unknown()).default({}),
});

/** A real client that obtains and renews its access token itself. */
export interface OAuthClient {
  /** The access tokens so far, the newest last. */
  readonly accessTokens: readonly string[];
  call(tool: string, args?: Record<string, unknown>): Promise<ToolAnswer>;
  close(): Promise<void>;
}

/** The OAuth state of a client, in memory, for one user. */
class Remembered {
  readonly accessTokens: string[] = [];
  readonly browser = new StepBrowser();
  readonly redirectUrl = REDIRECT_URL;
  readonly clientMetadata = {
    client_name: INFO.name,
    redirect_uris: [REDIRECT_URL],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
  #client: sdk2.OAuthClientInformation | undefined;
  #tokens: sdk2.OAuthTokens | undefined;
  #codeVerifier = '';
  /** The authorization URL. */
  authorizationUrl: URL | undefined;

  constructor(clientId: string | undefined) {
    if (clientId !== undefined) this.#client = { client_id: clientId };
  }

  clientInformation() {
    return this.#client;
  }
  saveClientInformation(client: sdk2.OAuthClientInformationFull) {
    this.#client = client;
  }
  tokens() {
    return this.#tokens;
  }
  saveTokens(tokens: sdk2.OAuthTokens) {
    this.#tokens = tokens;
    this.accessTokens.push(tokens.access_token);
  }
  redirectToAuthorization(url: URL) {
    this.authorizationUrl = url;
  }
  saveCodeVerifier(verifier: string) {
    this.#codeVerifier = verifier;
  }
  codeVerifier() {
    return this.#codeVerifier;
  }

  /** Signs the user in. @returns the parameters of the redirect */
  async authorize(username: string): Promise<URLSearchParams> {
    const url = this.authorizationUrl;
    if (!url) throw new Error('The client did not ask for an authorization.');
    const callback = await this.browser.authorize(url, { username, password: 'any' });
    return callback.searchParams;
  }
}

/** A client and its transport with OAuth. */
interface Attempt {
  connect(): Promise<void>;
  finishAuth(callback: URLSearchParams): Promise<void>;
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * Connects a client to an endpoint. The client discovers the authorization server from the 401, registers, and
 * its user signs in.
 * @param clientId of a client that the authorization server knows already. Default: the client registers
 */
export async function connectOAuth(
  kind: OAuthKind,
  mcp: string,
  username: string,
  clientId?: string,
): Promise<OAuthClient> {
  const remembered = new Remembered(clientId);
  const make = kind === 'SDK 1.x' ? sdk1 : sdk2In(kind);
  const first = make(mcp, remembered);
  await first.connect().then(
    () => Promise.reject(new Error('It was let in without a token.')),
    (error: unknown) => {
      if (!remembered.authorizationUrl) throw error;
    },
  );
  await first.finishAuth(await remembered.authorize(username));
  await first.close();
  const client = make(mcp, remembered);
  await client.connect();
  return {
    accessTokens: remembered.accessTokens,
    async call(tool, args = {}) {
      const result = resultSchema.parse(await client.callTool({ name: tool, arguments: args }));
      const { isError, content, structuredContent: structured } = result;
      return { isError, text: content.map(({ text }) => text).join('\n'), structured };
    },
    close: () => client.close(),
  };
}

function sdk1(mcp: string, remembered: Remembered): Attempt {
  const client = new Sdk1Client(INFO);
  // The methods are the same in both generations; their types differ under exactOptionalPropertyTypes.
  const authProvider = remembered as unknown as Sdk1OAuthProvider;
  const transport = new Sdk1Transport(new URL(mcp), { authProvider });
  return {
    connect: () => client.connect(transport as Parameters<typeof client.connect>[0]),
    finishAuth: (callback) => transport.finishAuth(callback.get('code') ?? ''),
    callTool: (call) => client.callTool(call),
    close: () => client.close(),
  };
}

function sdk2In(kind: OAuthKind) {
  const era: sdk2.ClientOptions =
    kind === 'SDK 2.x in 2026'
      ? { versionNegotiation: { mode: { pin: '2026-07-28' } } }
      : { supportedProtocolVersions: ['2025-11-25'] };
  return (mcp: string, remembered: Remembered): Attempt => {
    const client = new sdk2.Client(INFO, era);
    const transport = new sdk2.StreamableHTTPClientTransport(new URL(mcp), { authProvider: remembered });
    return {
      connect: () => client.connect(transport),
      finishAuth: (callback) => transport.finishAuth(callback),
      callTool: (call) => client.callTool(call),
      close: () => client.close(),
    };
  };
}
