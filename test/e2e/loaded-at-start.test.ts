import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';

const RECORDER = new URL('../support/record-loaded-modules.mjs', import.meta.url).href;
const LIBRARY = new URL('../../packages/sessions/dist/index.js', import.meta.url).href;

/** Listens, and then sends a request to the provider, of which nothing answers. */
const SCRIPT = `
  import { createSessions } from ${JSON.stringify(LIBRARY)};
  import { appendFileSync } from 'node:fs';
  const sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    providers: { issuer: 'http://127.0.0.1:9', clientId: 'test' },
    tools: () => undefined,
  });
  await sessions.listen({ port: 0 });
  appendFileSync(process.env.LOADED_MODULES, 'listening\\n');
  await sessions.checkProviders();
  await sessions.close();`;

it('a start loads nothing that only pages, logins, access tokens, stdio, proxies or an engine need', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'start-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'modules');
  const child = spawn(process.execPath, ['--import', RECORDER, '--input-type=module', '--eval', SCRIPT], {
    env: { PATH: process.env.PATH, LOADED_MODULES: file },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  const [start = '', later = ''] = (await readFile(file, 'utf8')).split('listening\n');

  const packages = new Set(start.match(/(?<=\/node_modules\/)(@[^/]+\/)?[^/]+/g));
  expect([...packages].sort()).toEqual([
    '@hono/node-server',
    '@modelcontextprotocol/core',
    '@modelcontextprotocol/server',
    // Does nothing unless the application registers an SDK.
    '@opentelemetry/api',
    // Its `hono/ws`, by @hono/node-server.
    'hono',
    'p-limit',
    'yocto-queue',
    'zod',
  ]);
  expect(
    start.match(
      /.*(stdio|open-browser|provider-requests|provider-check|hono\/dist\/hono|login\/pages\/pages|browser\/routes)\b.*/g,
    ),
  ).toBeNull();
  // Shows that later imports are recorded.
  expect(later).toContain('/node_modules/openid-client/');
});
