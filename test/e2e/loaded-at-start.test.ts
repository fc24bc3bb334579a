import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';

const RECORDER = new URL('../support/record-loaded-modules.mjs', import.meta.url).href;
const LIBRARY = new URL('../../packages/sessions/dist/index.js', import.meta.url).href;

/** Listens, and waits until the last of the modules is loaded that it loads without a request. */
const SCRIPT = `
  import { createSessions } from ${JSON.stringify(LIBRARY)};
  import { appendFileSync, readFileSync } from 'node:fs';
  const sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    providers: { issuer: 'http://127.0.0.1:9', clientId: 'test' },
    tools: () => undefined,
  });
  await sessions.listen({ port: 0 });
  appendFileSync(process.env.LOADED_MODULES, 'listening\\n');
  while (!readFileSync(process.env.LOADED_MODULES, 'utf8').includes('/login/browser/routes.js'))
    await new Promise((resolve) => setImmediate(resolve));
  await sessions.close();`;

it('a start loads nothing that only pages, logins, access tokens, stdio, proxies or an engine need; the first three follow without a request', async () => {
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
  for (const module of [
    '/node_modules/openid-client/',
    '/node_modules/jose/',
    '/hono/dist/hono.js',
    '/login/pages/pages.js',
  ])
    expect(later).toContain(module);
  expect(later.match(/.*(stdio|open-browser|provider-check|undici|redis)\b.*/g)).toBeNull();
});
