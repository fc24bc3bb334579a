import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type IdentityProvider,
  startIdentityProvider,
} from '../../packages/server/src/sample/identity-provider.js';
import { createCredentials } from '../../packages/server/src/sample/provider-clients.js';
import { StepBrowser } from '../support/step-browser.js';

const MCP = 'http://127.0.0.1:3000/mcp';
/** Nothing listens at this address: the browser does not follow the redirect. */
const REDIRECT_URI = 'http://127.0.0.1:49998/callback';
const VERIFIER = 'v'.repeat(43);

const credentials = {
  client: createCredentials('mcp-sessions'),
  resourceServer: createCredentials('notes-api'),
};

let provider: IdentityProvider;
let mcpEndpoint: string | undefined;
beforeEach(async () => {
  mcpEndpoint = MCP;
  provider = await startIdentityProvider({
    port: 0,
    ...credentials,
    resource: 'urn:test:notes',
    servesMcpClients: true,
    mcpEndpoint: () => mcpEndpoint,
  });
});
afterEach(() => provider.close());

/** The registration of clients of SDK 1.10 and 1.12. */
const OLD_SDK =
  '{"client_name":"old SDK","redirect_uris":["http://127.0.0.1:49998/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}';
/** The registration of Gemini CLI 0.61 after its sign-in. */
const GEMINI_STORED =
  '{"client_name":"Gemini CLI (Stored OAuth)","redirect_uris":[],"grant_types":[],"response_types":[],"token_endpoint_auth_method":"none"}';

async function register(body: string) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(new URL('/reg', provider.issuer), { method: 'POST', headers, body });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

async function askForTokens(form: Record<string, string>): Promise<Record<string, unknown>> {
  const body = new URLSearchParams(form);
  const response = await fetch(new URL('/token', provider.issuer), { method: 'POST', body });
  return (await response.json()) as Record<string, unknown>;
}

/** The authorization URL of an old SDK. */
function addressOf(clientId: string, more: Record<string, string> = {}): URL {
  const url = new URL('/auth', provider.issuer);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    code_challenge_method: 'S256',
    redirect_uri: REDIRECT_URI,
    ...more,
  }).toString();
  return url;
}

const callbackOf = (address: URL) =>
  new StepBrowser().authorize(address, { username: 'alice', password: 'any' });

async function tokensFor(more: Record<string, string> = {}) {
  const clientId = String((await register(OLD_SDK)).json.client_id);
  const callback = await callbackOf(addressOf(clientId, more));
  const tokens = await askForTokens({
    grant_type: 'authorization_code',
    client_id: clientId,
    code: callback.searchParams.get('code') ?? '',
    code_verifier: VERIFIER,
    redirect_uri: REDIRECT_URI,
  });
  return { clientId, tokens };
}

function claimsOf(jwt: string): Record<string, unknown> {
  const [, claims = ''] = jwt.split('.');
  return JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
}

describe('an MCP client that names neither scope nor resource', () => {
  it('gets a token for the MCP endpoint with the required scope, like clients of SDK 1.10 and 1.12', async () => {
    const { clientId, tokens } = await tokensFor();
    expect(claimsOf(String(tokens.access_token))).toMatchObject({ aud: MCP, scope: 'mcp', sub: 'alice' });
    const refreshed = await askForTokens({
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token: String(tokens.refresh_token),
    });
    expect(claimsOf(String(refreshed.access_token))).toMatchObject({ aud: MCP, scope: 'mcp' });
  });

  it('gets the same token with parameters without a value (RFC 6749 section 3.1)', async () => {
    const { tokens } = await tokensFor({ scope: '', resource: '' });
    expect(claimsOf(String(tokens.access_token))).toMatchObject({ aud: MCP, scope: 'mcp' });
  });

  it('gets no token for the endpoint before the endpoint exists', async () => {
    mcpEndpoint = undefined;
    const clientId = String((await register(OLD_SDK)).json.client_id);
    expect((await callbackOf(addressOf(clientId))).searchParams.get('error')).toBe('access_denied');
  });
});

describe('an MCP client that names one of them', () => {
  it('gets the resource that it names', async () => {
    const resource = 'http://127.0.0.1:4000/mcp';
    const { tokens } = await tokensFor({ resource });
    expect(claimsOf(String(tokens.access_token))).toMatchObject({ aud: resource, scope: 'mcp' });
  });

  it('gets only the scope that it names', async () => {
    const { tokens } = await tokensFor({ scope: 'openid' });
    const { aud, scope } = claimsOf(String(tokens.access_token));
    expect(aud).toBe(MCP);
    expect(scope ?? '').not.toContain('mcp');
  });
});

describe('the MCP server’s own client', () => {
  it('gets neither a default scope nor a default resource', async () => {
    const own = addressOf(credentials.client.clientId);
    expect((await callbackOf(own)).searchParams.get('error')).toBe('access_denied');
  });
});

describe('a host that requests account selection and consent', () => {
  it.each(['consent select_account', 'select_account', 'consent', 'login'])(
    'is accepted with prompt=%s, like the second sign-in of Copilot CLI',
    async (prompt) => {
      const { tokens } = await tokensFor({ prompt });
      expect(claimsOf(String(tokens.access_token))).toMatchObject({ aud: MCP, sub: 'alice' });
    },
  );

  it('is refused with prompt=none and another value (OpenID Connect Core)', async () => {
    const clientId = String((await register(OLD_SDK)).json.client_id);
    const answer = await new StepBrowser().request(addressOf(clientId, { prompt: 'none select_account' }));
    expect(answer.headers.location).toContain('error=invalid_request');
  });
});

describe('a registration with empty lists', () => {
  it('allows refresh, as Gemini CLI needs after its sign-in', async () => {
    const { status, json } = await register(GEMINI_STORED);
    expect(status).toBe(201);
    expect(json).toMatchObject({ grant_types: ['refresh_token'], redirect_uris: [] });
    const refreshed = await askForTokens({
      grant_type: 'refresh_token',
      client_id: String(json.client_id),
      refresh_token: 'of-before-the-restart',
    });
    expect(refreshed).toEqual({
      error: 'invalid_grant',
      error_description: expect.stringMatching(/restarted. The user has to sign in .* again in the client/),
    });
  });

  it('gives no access to tokens of another client', async () => {
    const { tokens } = await tokensFor();
    const { json } = await register(GEMINI_STORED);
    const refreshed = await askForTokens({
      grant_type: 'refresh_token',
      client_id: String(json.client_id),
      refresh_token: String(tokens.refresh_token),
    });
    expect(refreshed).toMatchObject({ error: 'invalid_grant' });
  });

  it.each([REDIRECT_URI, 'https://app.example/callback'])(
    'has the defaults of RFC 7591 for the redirect URI %s',
    async (redirectUri) => {
      const metadata = {
        redirect_uris: [redirectUri],
        grant_types: [],
        response_types: [],
        token_endpoint_auth_method: 'none',
      };
      const { status, json } = await register(JSON.stringify(metadata));
      expect(status).toBe(201);
      expect(json.grant_types).toContain('authorization_code');
      expect(json.response_types).toEqual(['code']);
    },
  );
});
