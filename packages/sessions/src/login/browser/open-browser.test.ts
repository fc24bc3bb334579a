import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserEnvironment, browserOpener } from './open-browser.js';

describe('a browser can be opened', () => {
  it.each([
    ['on a Mac', 'darwin', {}, true],
    ['on Windows', 'win32', {}, true],
    ['on Linux with an X display', 'linux', { DISPLAY: ':0' }, true],
    ['on Linux with a Wayland display', 'linux', { WAYLAND_DISPLAY: 'wayland-0' }, true],
    ['but not on Linux without a display', 'linux', {}, false],
    ['but not on Linux with an empty one', 'linux', { DISPLAY: '', WAYLAND_DISPLAY: '' }, false],
  ] as const)('%s', (_where, platform, environment, expected) => {
    const opener = browserOpener({ platform, environment }, () => undefined);
    expect(opener !== undefined).toBe(expected);
  });
});

describe.runIf(process.platform === 'linux')('opening the browser', () => {
  const url = 'http://127.0.0.1:1/connect/x?a=1&b=%20$(id)';
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'open-browser-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function open(environment: NodeJS.ProcessEnv, errors: unknown[]): Promise<void> {
    const opener = browserOpener({ platform: 'linux', environment }, (error) => errors.push(error));
    expect(opener).toBeDefined();
    if (opener) await opener(url);
  }

  /** Creates a folder with one program that records its arguments and environment. */
  async function recordingProgram(name: string) {
    const home = await mkdtemp(join(folder, 'home-'));
    const record = join(home, 'record');
    await writeFile(
      join(home, name),
      [
        '#!/bin/sh',
        `printf '%s\\n' "$@" > '${record}.arguments'`,
        `/usr/bin/env > '${record}.part'`,
        `/bin/mv '${record}.part' '${record}'`,
      ].join('\n'),
    );
    await chmod(join(home, name), 0o755);
    return {
      home,
      read: async () => {
        await expect.poll(() => readFile(record, 'utf8').catch(() => undefined)).toBeDefined();
        return {
          parameters: (await readFile(`${record}.arguments`, 'utf8')).trim(),
          environment: (await readFile(record, 'utf8')).trim().split('\n'),
        };
      },
    };
  }

  it.each(['xdg-open', 'x-www-browser'])(
    'passes the URL and the environment variables that a browser needs: %s',
    async (name) => {
      const { home, read } = await recordingProgram(name);
      const errors: unknown[] = [];
      const environment = {
        PATH: home,
        HOME: home,
        DISPLAY: ':7',
        LC_ALL: 'C',
        MCP_SESSIONS_CLIENT_SECRET: 'canary',
      };
      await open(environment, errors);
      const { parameters, environment: received } = await read();
      expect(parameters).toBe(url);
      expect(received).toEqual(expect.arrayContaining([`HOME=${home}`, 'DISPLAY=:7', 'LC_ALL=C']));
      expect(received.join('\n')).not.toContain('canary');
      expect(errors).toEqual([]);
    },
  );

  it('reports a missing browser once', async () => {
    const errors: unknown[] = [];
    const environment = { PATH: folder, DISPLAY: ':7' };
    await open(environment, errors);
    expect(errors).toEqual([expect.objectContaining({ code: 'ENOENT' })]);
  });
});

describe('the environment of the browser', () => {
  it.each([
    'MCP_SESSIONS_CLIENT_SECRET',
    'OPENAI_API_KEY',
    'AWS_SECRET_ACCESS_KEY',
    'GITHUB_TOKEN',
    'NODE_OPTIONS',
    'DATABASE_URL',
    'HTTPS_PROXY',
    'SSH_AUTH_SOCK',
    'npm_config__authToken',
  ])('does not contain %s [security 48]', (name) => {
    expect(browserEnvironment({ [name]: 'canary', HOME: '/home/a' })).toEqual({ HOME: '/home/a' });
  });

  it('contains the variables that a browser needs, in the spelling of Windows', () => {
    const needed = {
      Path: 'C:\\',
      SystemRoot: 'C:\\Windows',
      'ProgramFiles(x86)': 'C:\\x',
      XDG_RUNTIME_DIR: '/run',
    };
    expect(browserEnvironment(needed)).toEqual(needed);
  });
});
