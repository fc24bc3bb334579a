import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A request to the token endpoint, and its response. */
interface TokenRequest {
  readonly form: URLSearchParams;
  readonly answer: URLSearchParams;
}

/**
 * An OAuth 2.0 provider like GitHub: no discovery, no ID tokens, form-encoded responses, errors with status 200,
 * scopes separated by commas, tokens without expiry, no revocation.
 */
export interface PlainOAuthProvider {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly endpoints: { readonly authorization: string; readonly token: string; readonly userInfo: string };
  /** The origin of its API. Every path responds with the login. */
  readonly api: string;
  readonly tokenRequests: TokenRequest[];
  /** The parameters of every authorization request. */
  readonly authorizations: URLSearchParams[];
  /** Every token that the API has received. */
  readonly shown: string[];
  /** The lifetime of tokens from now on, with refresh tokens. Default: no expiry. */
  expiresInSeconds: number | undefined;
  /** Answers the next token request with this error and status 200. */
  failNext(error: string): void;
  /** Revokes everything that was issued to a user. */
  revoke(login: string): void;
  close(): Promise<void>;
}

interface Grant {
  readonly login: string;
  readonly scopes: readonly string[];
  readonly challenge: string;
  readonly redirectUri: string;
}

export async function startPlainOAuthProvider(): Promise<PlainOAuthProvider> {
  const clientId = 'Iv1.0123456789abcdef';
  const clientSecret = randomBytes(20).toString('hex');
  const codes = new Map<string, Grant>();
  const accessTokens = new Map<string, Grant>();
  const refreshTokens = new Map<string, Grant>();
  const numbers = new Map<string, number>();
  const failures: string[] = [];

  const authorize = async (request: IncomingMessage, response: ServerResponse, url: URL) => {
    const query = url.searchParams;
    if (request.method !== 'POST') {
      provider.authorizations.push(query);
      response.setHeader('content-type', 'text/html');
      response.end('<form method="post"><input name="username"><button>Sign in</button></form>');
      return;
    }
    const login = new URLSearchParams(await text(request)).get('username') ?? '';
    const code = randomBytes(10).toString('hex');
    const redirectUri = query.get('redirect_uri') ?? '';
    codes.set(code, {
      login,
      scopes: (query.get('scope') ?? '').split(' ').filter(Boolean),
      challenge: query.get('code_challenge') ?? '',
      redirectUri,
    });
    const back = new URL(redirectUri);
    back.searchParams.set('code', code);
    back.searchParams.set('state', query.get('state') ?? '');
    response.writeHead(302, { location: back.href });
    response.end();
  };

  const answerTo = (form: URLSearchParams): Record<string, string> => {
    const planned = failures.shift();
    if (planned) return { error: planned, error_description: 'It was planned.' };
    if (form.get('client_id') !== clientId || form.get('client_secret') !== clientSecret) {
      return { error: 'incorrect_client_credentials' };
    }
    const isRefresh = form.get('grant_type') === 'refresh_token';
    const grant = isRefresh ? taken(refreshTokens, form.get('refresh_token')) : redeemed(form);
    if (!grant) return { error: isRefresh ? 'bad_refresh_token' : 'bad_verification_code' };
    const accessToken = `gho_${randomBytes(18).toString('hex')}`;
    accessTokens.set(accessToken, grant);
    const answer = { access_token: accessToken, scope: grant.scopes.join(','), token_type: 'bearer' };
    if (provider.expiresInSeconds === undefined) return answer;
    const refreshToken = `ghr_${randomBytes(18).toString('hex')}`;
    refreshTokens.set(refreshToken, grant);
    return { ...answer, refresh_token: refreshToken, expires_in: String(provider.expiresInSeconds) };
  };

  const redeemed = (form: URLSearchParams): Grant | undefined => {
    const grant = taken(codes, form.get('code'));
    const verifier = form.get('code_verifier') ?? '';
    const isProved = grant?.challenge === createHash('sha256').update(verifier).digest('base64url');
    return isProved && form.get('redirect_uri') === grant.redirectUri ? grant : undefined;
  };

  const serve: RequestListener = async (request, response) => {
    const url = new URL(request.url ?? '/', site.origin);
    if (url.pathname === '/login/oauth/authorize') return authorize(request, response, url);
    if (url.pathname !== '/login/oauth/access_token') {
      response.writeHead(404, { 'content-type': 'text/html' });
      response.end('<h1>Not found</h1>');
      return;
    }
    const form = new URLSearchParams(await text(request));
    const answer = new URLSearchParams(answerTo(form));
    provider.tokenRequests.push({ form, answer });
    response.setHeader('content-type', 'application/x-www-form-urlencoded; charset=utf-8');
    response.end(answer.toString());
  };

  const serveApi: RequestListener = (request, response) => {
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    provider.shown.push(token);
    const login = accessTokens.get(token)?.login;
    if (login === undefined) {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ message: 'Bad credentials' }));
      return;
    }
    const id = numbers.get(login) ?? 1000 + numbers.size;
    numbers.set(login, id);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ login, id, name: null }));
  };

  const [site, api] = await Promise.all([listen(serve), listen(serveApi)]);
  const provider: PlainOAuthProvider = {
    clientId,
    clientSecret,
    endpoints: {
      authorization: `${site.origin}/login/oauth/authorize`,
      token: `${site.origin}/login/oauth/access_token`,
      userInfo: `${api.origin}/user`,
    },
    api: api.origin,
    tokenRequests: [],
    authorizations: [],
    shown: [],
    expiresInSeconds: undefined,
    failNext: (error) => void failures.push(error),
    revoke(login) {
      for (const tokens of [accessTokens, refreshTokens]) {
        for (const [token, grant] of tokens) if (grant.login === login) tokens.delete(token);
      }
    },
    close: async () => {
      await Promise.all([site.close(), api.close()]);
    },
  };
  return provider;
}

function taken(grants: Map<string, Grant>, key: string | null): Grant | undefined {
  const grant = grants.get(key ?? '');
  grants.delete(key ?? '');
  return grant;
}

async function listen(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // The address of a listening TCP server is an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
