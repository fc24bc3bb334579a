import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSessions } from './create-sessions.js';
import type { SessionsOptions } from './options.js';

const options: SessionsOptions = {
  server: { name: 'test', version: '1.0.0' },
  tools: () => undefined,
  providers: { issuer: 'https://id.example.com', clientId: 'test', clientAuthentication: 'none' },
};

describe('createSessions', () => {
  it('refuses a call without options', () => {
    // From code without types.
    const create = createSessions as () => unknown;
    expect(create).toThrow(expect.objectContaining({ code: 'configuration' }));
  });

  it('uses the defaults in place of runtime options that are undefined', async () => {
    const paths: (string | undefined)[] = [];
    const issuer = createServer(({ url }, response) => {
      paths.push(url);
      response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void issuer.close());
    const { port } = issuer.address() as AddressInfo;
    const sessions = createSessions({
      ...options,
      providers: { ...options.providers, issuer: `http://127.0.0.1:${port}` } as SessionsOptions['providers'],
      // With `exactOptionalPropertyTypes`, from code without types.
      runtime: { clock: undefined, random: undefined, fetch: undefined } as never,
    });
    onTestFinished(() => sessions.close({ drainMs: 0 }));
    expect(await sessions.checkProviders()).toMatchObject([{ ok: false }]);
    expect(paths).toContain('/.well-known/openid-configuration');
  });
});

describe('the methods of sessions', () => {
  it('let close listen to a signal of the process', async () => {
    const sessions = createSessions(options);
    const listener: (signal: never) => Promise<void> = sessions.close;
    await expect(listener('SIGTERM' as never)).resolves.toBeUndefined();
  });
});
