import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../../../test/support/free-port.js';
import { LoginListener } from './listener.js';

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);
const open: LoginListener[] = [];

afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close();
});

function listenerAt(address: ConstructorParameters<typeof LoginListener>[1]): LoginListener {
  const listener = new LoginListener((_request, response) => response.end('login'), address);
  open.push(listener);
  return listener;
}

/** Another process that listens. */
async function occupy(host: string, port = 0): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('the listener of the redirect URI over stdio', () => {
  it('is on a free port of 127.0.0.1 by default, and opens once', async () => {
    const listener = listenerAt({});
    const [first, second] = await Promise.all([listener.open(), listener.open()]);
    expect(first.hostname).toBe('127.0.0.1');
    expect(second.href).toBe(first.href);
    expect(await (await fetch(first)).text()).toBe('login');
  });

  it('is on the configured port', async () => {
    const port = await freePort();
    expect((await listenerAt({ port }).open()).href).toBe(`http://127.0.0.1:${port}/`);
  });

  it('says that the configured port is in use, and works once it is free', async () => {
    const port = await freePort();
    const listener = listenerAt({ port });
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    await expect(listener.open()).rejects.toMatchObject({
      code: 'login_failed',
      message: expect.stringMatching(new RegExp(`port ${port} .*in use.*--callback-port`)),
    });
    await new Promise<void>((resolve) => other.close(() => resolve()));
    expect((await listener.open()).port).toBe(String(port));
  });

  it.runIf(hasIpv6)('is on both families for localhost, on the same port', async () => {
    const url = await listenerAt({ host: 'localhost' }).open();
    expect(url.hostname).toBe('localhost');
    for (const host of ['127.0.0.1', '[::1]'])
      expect(await (await fetch(`http://${host}:${url.port}`)).text()).toBe('login');
  });

  it.runIf(hasIpv6)(
    'fails if another process holds the port of one family, and holds the other one no longer',
    async () => {
      const port = await occupy('::1');
      await expect(listenerAt({ host: 'localhost', port }).open()).rejects.toMatchObject({
        code: 'login_failed',
      });
      await expect(occupy('127.0.0.1', port)).resolves.toBe(port);
    },
  );
});
