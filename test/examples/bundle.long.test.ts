import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { end, own } from '../support/child-processes.js';
import { connect2025 } from '../support/raw-mcp.js';

const run = promisify(execFile);
const LIBRARY = fileURLToPath(new URL('../../packages/sessions', import.meta.url));
const MAIN = `
  import { createSessions } from 'mcp-sessions';
  const sessions = createSessions({
    server: { name: 'bundled', version: '1.0.0' },
    providers: { issuer: 'https://id.example.com', clientId: 'bundled' },
    tools: (server) => {
      server.registerTool('hello', { description: 'Greets.' }, async () => ({
        content: [{ type: 'text', text: 'hello' }],
      }));
    },
  });
  const { url } = await sessions.listen({ port: 0 });
  console.log(url);
`;

describe('an application bundled by esbuild into one ES module', () => {
  let project: string;
  let elsewhere: string;

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), 'mcp-sessions-project-'));
    elsewhere = await mkdtemp(join(tmpdir(), 'mcp-sessions-bundle-'));
    const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', project];
    await run('npm', pack, { cwd: LIBRARY });
    const [packed = ''] = (await readdir(project)).filter((file) => file.endsWith('.tgz'));
    await writeFile(join(project, 'package.json'), '{"private":true,"type":"module"}');
    await writeFile(join(project, 'main.js'), MAIN);
    const quiet = ['--no-audit', '--no-fund', '--no-package-lock'];
    await run('npm', ['install', ...quiet, join(project, packed), 'esbuild@^0.28.0'], { cwd: project });
    const options = ['--bundle', '--platform=node', '--format=esm', '--log-level=warning'];
    const outfile = `--outfile=${join(elsewhere, 'bundle.mjs')}`;
    await run(join(project, 'node_modules/.bin/esbuild'), ['main.js', ...options, outfile], { cwd: project });
  });
  afterAll(() =>
    Promise.all([project, elsewhere].map((folder) => rm(folder, { recursive: true, force: true }))),
  );

  it('serves its tools without node_modules', async () => {
    const child = own(
      spawn(process.execPath, ['bundle.mjs'], { cwd: elsewhere, stdio: ['ignore', 'pipe', 'inherit'] }),
    );
    const lines = createInterface(child.stdout);
    const [url] = await Promise.race([once(lines, 'line'), once(child, 'exit')]);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/mcp$/);
    const client = await connect2025(url);
    expect(await client.call('hello')).toMatchObject({ text: 'hello' });
    await end(child, 'SIGKILL');
  });
});
