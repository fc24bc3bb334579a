import { expect, it, onTestFinished } from 'vitest';
import { startSample } from '../../packages/server/src/sample/start-sample.js';
import { inMemory2025, inMemory2026 } from '../support/in-memory-client.js';
import { ERAS, startTranscribed } from '../support/transcribed-server.js';

it.each(ERAS)('users see the display name of a provider, and models see its name (%s)', async (era) => {
  const server = startTranscribed({ providers: [{ name: 'acme', displayName: 'Acme Staff (SSO)' }] });
  onTestFinished(() => server.sessions.close());
  const asked: string[] = [];
  const open = async ({ message }: { message: string }) => {
    asked.push(message);
    return 'cancel' as const;
  };
  const client = await (era === '2025' ? inMemory2025(server.here, open) : inMemory2026(server.here, open));
  const { loginUrl } = (await client.call('login')).structured;
  expect(asked).toEqual(['Log in to Acme Staff (SSO) in your browser.']);
  const page = await (await server.here.handleRequest(new Request(String(loginUrl)))).text();
  expect(page).toMatch(/Log in at.*<bdi>Acme Staff \(SSO\)<\/bdi> · <bdi>provider.test<\/bdi>/s);
  expect((await client.call('login', { provider: 'elsewhere' })).text).toMatch(/Use one of: acme\./);
});

it.each(['', 'x'.repeat(81), 'Acme\u202e'])('the display name %j is refused at start', (displayName) => {
  expect(() => startTranscribed({ providers: [{ displayName }] })).toThrow(/displayName/);
});

it('the sample names its identity provider as a sample', async () => {
  const backend = await startSample(
    {
      kind: 'sample',
      isAsked: true,
      identityProviderPort: 0,
      apiPort: 0,
      accessTokenSeconds: 120,
      isBearer: false,
      deviceFlow: undefined,
    },
    undefined,
  );
  onTestFinished(() => backend.close());
  expect(backend.providers[0]).toMatchObject({ displayName: 'Notes (demo identity provider)' });
});
