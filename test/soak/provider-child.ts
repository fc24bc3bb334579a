/**
 * An OAuth authorization server for load tests. It accepts any code, and issues long opaque tokens. It keeps nothing
 * and refuses nothing. Its authorization endpoint gets no requests, because the client invents the codes.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerParent } from '../support/answer-parent.js';

/** Two tokens have 2 KiB. */
const TOKEN_CHARACTERS = 1024;
/** Long enough that no token is refreshed. */
const EXPIRES_IN_SECONDS = 24 * 60 * 60;

let issuer = '';

const server = createServer((request, response) => {
  request.resume().once('end', () => {
    const path = new URL(request.url ?? '/', issuer).pathname;
    const body = answerTo(path, request.headers.authorization ?? '');
    response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
});

answerParent({
  async start() {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // A TCP server has an AddressInfo.
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return issuer;
  },
});

/** The response, as JSON; `undefined` for unknown paths. */
function answerTo(path: string, authorization: string): object | undefined {
  switch (path) {
    case '/.well-known/openid-configuration':
      return {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        userinfo_endpoint: `${issuer}/userinfo`,
        revocation_endpoint: `${issuer}/revoke`,
        code_challenge_methods_supported: ['S256'],
      };
    case '/token':
      return {
        token_type: 'Bearer',
        access_token: opaqueToken(),
        refresh_token: opaqueToken(),
        expires_in: EXPIRES_IN_SECONDS,
      };
    case '/userinfo':
      return { sub: authorization.slice(-16) };
    case '/revoke':
      return {};
    default:
      return undefined;
  }
}

function opaqueToken(): string {
  return randomBytes((TOKEN_CHARACTERS / 4) * 3).toString('base64url');
}
