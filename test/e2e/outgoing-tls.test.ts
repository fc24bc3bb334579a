import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.js';
import { startTlsProxy, type TlsProxy } from '../support/tls-proxy.js';

const CHILD = fileURLToPath(new URL('outgoing-tls-child.mjs', import.meta.url));
const outputSchema = z.object({ failures: z.array(z.record(z.string(), z.unknown())), answer: z.string() });

let tls: TlsProxy;
let proxy: ConnectProxy;
let folder: string;
const metadata = createServer((_request, response) => {
  const issuer = tls.origin;
  response.setHeader('content-type', 'application/json');
  response.end(
    JSON.stringify({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      code_challenge_methods_supported: ['S256'],
    }),
  );
});
beforeAll(async () => {
  tls = await startTlsProxy();
  metadata.listen(0, '127.0.0.1');
  await once(metadata, 'listening');
  // The address of a listening TCP server is an AddressInfo.
  tls.forwardTo(`http://127.0.0.1:${(metadata.address() as AddressInfo).port}`);
  // Only the proxy resolves the host name.
  proxy = await startConnectProxy(() => Number(new URL(tls.origin).port));
  folder = await mkdtemp(join(tmpdir(), 'mcp-sessions-'));
  await writeFile(join(folder, 'authority.pem'), tls.certificate);
});
afterAll(async () => {
  metadata.close();
  metadata.closeAllConnections();
  await Promise.all([tls?.close(), proxy?.close(), folder && rm(folder, { recursive: true })]);
});

/** Calls `login` in a process of its own: Node reads NODE_EXTRA_CA_CERTS at start. */
async function login(environment: Record<string, string>) {
  const env = { ...process.env, ISSUER: tls.origin, ...environment };
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD], { env });
  return outputSchema.parse(JSON.parse(stdout));
}

describe('a provider behind a proxy, with a certificate of a private authority', () => {
  it('is not trusted, and log and tool say so', async () => {
    const { failures, answer } = await login({ HTTPS_PROXY: proxy.url });
    expect(failures).toMatchObject([
      {
        reason: 'certificate_untrusted',
        step: 'discovery',
        code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
        setting: 'NODE_EXTRA_CA_CERTS',
      },
    ]);
    expect(answer).toContain('the TLS certificate of the provider is not trusted. Try again in a minute.');
    expect(proxy.requested.length).toBeGreaterThan(0);
  });

  it('is trusted with NODE_EXTRA_CA_CERTS', async () => {
    const authority = join(folder, 'authority.pem');
    const { failures, answer } = await login({ HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: authority });
    expect(failures).toEqual([]);
    expect(answer).toContain('loginUrl');
  });

  it('is not found without the proxy', async () => {
    const { failures, answer } = await login({});
    expect(failures).toMatchObject([{ reason: 'name_not_resolved', setting: 'issuer, HTTPS_PROXY' }]);
    expect(answer).toContain('the host name of the provider was not found');
  });
});
