import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { Agent, createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { createPrivateAuthority } from './private-authority.js';

/** The host name of the proxy, which only its agent resolves (RFC 6761). */
const HOSTNAME = 'mcp.example.test';

/** A reverse proxy that terminates TLS. */
export interface TlsProxy {
  /** The public origin, `https://…`. */
  readonly origin: string;
  /** An agent that resolves its host name and trusts its authority. */
  readonly agent: Agent;
  /** The certificate of the private authority that has signed the one of the proxy. */
  readonly authority: string;
  /** Sets the upstream. */
  forwardTo(origin: string): void;
  close(): Promise<void>;
}

export async function startTlsProxy(): Promise<TlsProxy> {
  const { key, certificate, authority } = await certificates();
  let target: URL | undefined;
  const server = createServer({ key, cert: certificate }, (request, response) => {
    if (!target) {
      response.writeHead(502).end();
      return;
    }
    const { method, url, headers, socket } = request;
    const forwarded = httpRequest({
      host: target.hostname,
      port: target.port,
      method,
      path: url,
      headers: { ...headers, 'x-forwarded-for': socket.remoteAddress, 'x-forwarded-proto': 'https' },
      agent: false,
    });
    forwarded.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, response, () => undefined);
    });
    forwarded.on('error', () => response.destroy());
    response.on('close', () => forwarded.destroy());
    request.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // The address of a listening TCP server is an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    origin: `https://${HOSTNAME}:${port}`,
    agent: new Agent({
      ca: authority,
      lookup: (_hostname, { all }, found) => {
        if (all) found(null, [{ address: '127.0.0.1', family: 4 }]);
        else found(null, '127.0.0.1', 4);
      },
    }),
    authority,
    forwardTo(origin) {
      target = new URL(origin);
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function certificates(): Promise<{ key: string; certificate: string; authority: string }> {
  const files = await createPrivateAuthority(`DNS:${HOSTNAME}`);
  const read = (path: string) => readFile(path, 'utf8');
  try {
    return {
      key: await read(files.key),
      certificate: await read(files.certificate),
      authority: await read(files.authority),
    };
  } finally {
    await files.remove();
  }
}
