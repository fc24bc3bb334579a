/** The alternative for comparison: the same logins, with the tokens in a plain `Map`. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeHeapSnapshot } from 'node:v8';
import * as oidc from 'openid-client';
import { z } from 'zod';
import { answerParent, collectGarbage } from '../support/answer-parent.js';
import { SCOPES, type Upstream, upstreamSchema } from './upstream.js';

const accounts = new Map<string, { accessToken: string; refreshToken: string | undefined }>();
const verifiers = new Map<string, string>();
let configuration: oidc.Configuration | undefined;
let origin = '';

answerParent({
  async start(argument) {
    const upstream = upstreamSchema.parse(argument);
    const { issuer, clientId, clientSecret } = upstream;
    configuration = await oidc.discovery(new URL(issuer), clientId, clientSecret, undefined, {
      execute: [oidc.allowInsecureRequests],
    });
    const server = createServer((request, response) => {
      serve(upstream, request, response).catch((error: unknown) => response.writeHead(500).end(`${error}`));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // A TCP server has an AddressInfo.
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return origin;
  },
  idle: collectGarbage,
  snapshot(path) {
    writeHeapSnapshot(z.string().parse(path));
  },
  async signOut() {
    for (const { accessToken, refreshToken } of accounts.values()) {
      if (refreshToken) await oidc.tokenRevocation(known(configuration), refreshToken);
      await oidc.tokenRevocation(known(configuration), accessToken);
    }
    accounts.clear();
  },
});

async function serve(upstream: Upstream, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', origin);
  if (url.pathname === '/login') {
    response.writeHead(302, { location: await startLogin(upstream) }).end();
  } else if (url.pathname === '/callback') {
    await finishLogin(url);
    response.end('Logged in.');
  } else {
    response.writeHead(404).end();
  }
}

async function startLogin({ resource }: Upstream): Promise<string> {
  const state = oidc.randomState();
  const verifier = oidc.randomPKCECodeVerifier();
  verifiers.set(state, verifier);
  const url = oidc.buildAuthorizationUrl(known(configuration), {
    redirect_uri: `${origin}/callback`,
    scope: SCOPES.join(' '),
    state,
    resource,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  return url.href;
}

async function finishLogin(callback: URL): Promise<void> {
  const state = known(callback.searchParams.get('state'));
  const tokens = await oidc.authorizationCodeGrant(known(configuration), callback, {
    expectedState: state,
    pkceCodeVerifier: known(verifiers.get(state)),
  });
  verifiers.delete(state);
  accounts.set(state, { accessToken: tokens.access_token, refreshToken: tokens.refresh_token });
}

function known<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('Something is missing that was to be there.');
  return value;
}
