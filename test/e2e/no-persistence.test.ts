import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Deployment, startDeployment } from '../support/deployment.js';
import { connect } from '../support/mcp-clients.js';
import { runServer } from '../support/server-process.js';

/** The flag has another name in Node 20. */
const PERMISSION = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

let folder: string;
let deployment: Deployment;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcp-sessions-'));
  deployment = await startDeployment({
    accessTokenSeconds: 4,
    // Everything may be read, and nothing be written, wherever it is.
    nodeOptions: [PERMISSION, '--allow-fs-read=*'],
    folder,
    environment: { HOME: folder, TMPDIR: folder },
  });
});

afterAll(async () => {
  await deployment?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('a server without permission to write files', () => {
  it('serves logins, refreshes and logouts in both eras [security 33]', async () => {
    const { provider, server, mcp } = deployment;
    for (const kind of ['SDK 1.x', 'SDK 2.x pinned to 2026'] as const) {
      const client = await connect(kind, mcp);
      const earlier = server.audit.entries.length;
      await client.logIn('alice');
      await server.audit.until('a refresh', (entries) =>
        entries.slice(earlier).find(({ event }) => event === 'account.refreshed'),
      );
      expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
      expect((await client.call('logout')).structured).toMatchObject({ status: 'logged_out' });
      await client.close();
    }
    expect(await provider.activeTokens()).toEqual([]);
    expect(provider.issued.entries.length).toBeGreaterThanOrEqual(8);
  });

  it('leaves no token in its folder [security 33]', async () => {
    expect(await readdir(folder)).toEqual([]);
  });

  it('cannot write files in these tests, because Node enforces the permission', async () => {
    const script = `require('node:fs').writeFileSync(${JSON.stringify(join(folder, 'x'))}, '')`;
    const { code } = await runServer({
      nodeOptions: [PERMISSION, '--allow-fs-read=*', '-e', script],
      folder,
    });
    expect(code).not.toBe(0);
    expect(await readdir(folder)).toEqual([]);
  });
});
