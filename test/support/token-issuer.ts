import { generateKeyPairSync, sign } from 'node:crypto';
import type { Sessions } from '../../packages/sessions/src/index.js';

/** An authorization server of MCP clients. */
export const ISSUER = 'https://clients.test';

export interface TokenIssuer {
  /** Serves its metadata and keys, without a network. */
  readonly fetch: typeof fetch;
  /** Issues an access token for a user of the MCP endpoint at 127.0.0.1:3000 (RFC 9068). */
  tokenOf(subject: string): string;
}

export function startTokenIssuer(): TokenIssuer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const header = { alg: 'ES256', kid: 'key', typ: 'at+jwt' };
  const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: header.kid, alg: header.alg }] };
  const metadata = { issuer: ISSUER, jwks_uri: `${ISSUER}/jwks` };
  return {
    fetch: async (input) => {
      const { pathname } = new URL(input instanceof Request ? input.url : input);
      return Response.json(pathname === '/jwks' ? jwks : metadata);
    },
    tokenOf(subject) {
      const iat = Math.floor(Date.now() / 1000);
      const claims = { iss: ISSUER, aud: 'http://127.0.0.1:3000/mcp', client_id: 'client', sub: subject };
      const signed = `${encoded(header)}.${encoded({ ...claims, iat, exp: iat + 3600 })}`;
      const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${signed}.${signature.toString('base64url')}`;
    },
  };
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

type Server = Pick<Sessions, 'handleRequest'>;

/** The server for a client whose requests have an access token. */
export function withToken(server: Server, token: string): Server {
  return {
    handleRequest(request) {
      request.headers.set('authorization', `Bearer ${token}`);
      return server.handleRequest(request);
    },
  };
}
