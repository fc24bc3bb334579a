import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startIdentityProviderProcess } from '../support/identity-provider-process.js';
import { connect } from '../support/mcp-clients.js';
import { runServer, startServer } from '../support/server-process.js';

it('a preset, a registration and the tool of docs/providers.md are enough for a login in both eras', async () => {
  const page = await readFile(new URL('../../docs/providers.md', import.meta.url), 'utf8');
  const folder = await mkdtemp(join(tmpdir(), 'first-login-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const tools = join(folder, 'tools.mjs');
  await writeFile(tools, /```js\n([\s\S]*?)```/.exec(page)?.[1] ?? '');

  const provider = await startIdentityProviderProcess();
  onTestFinished(() => provider.stop());
  const environment = {
    ...provider.serverEnvironment,
    MCP_SESSIONS_PROVIDER: 'keycloak',
    API_URL: `${provider.api}/me`,
  };
  const check = await runServer({ flags: ['check'], environment });
  expect(check).toMatchObject({
    code: 0,
    stdout: expect.arrayContaining([expect.stringMatching(/^✓ pkce/)]),
  });
  expect(check.stdout).toContainEqual(
    expect.stringMatching(/redirect_uri +http:\/\/127\.0\.0\.1:3000\/callback$/),
  );

  const server = await startServer({ flags: ['--port', '0', '--tools', tools], environment });
  onTestFinished(() => void server.stop());
  for (const kind of ['SDK 1.x', 'SDK 2.x pinned to 2026'] as const) {
    const client = await connect(kind, server.addresses.mcp);
    const early = await client.call('my_data');
    expect(early).toMatchObject({ isError: true });
    expect(early.text).toMatch(/call.*`login`/i);
    await client.logIn(kind);
    const { text } = await client.call('my_data');
    expect(JSON.parse(text)).toMatchObject({ subject: kind });
    const { structured } = await client.call('logout');
    expect(structured).toMatchObject({ accounts: [{ provider: 'keycloak', revocation: 'confirmed' }] });
    expect(await provider.activeTokens()).toEqual([]);
    await client.close();
  }
});
