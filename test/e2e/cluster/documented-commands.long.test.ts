import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startBalancer } from '../../support/balancer.js';
import { Browser } from '../../support/browser.js';
import { freePort } from '../../support/free-port.js';
import { startIdentityProviderProcess } from '../../support/identity-provider-process.js';
import { isInstalled } from '../../support/installed-program.js';
import { client2026, logIn, send } from '../../support/raw-mcp.js';
import { REDIS } from '../../support/redis-server.js';

const PAGE = new URL('../../../docs/cluster.md', import.meta.url);
const MAIN = fileURLToPath(import.meta.resolve('mcp-sessions-server/dist/main.js'));
const TOOLS = fileURLToPath(new URL('../../support/notes-tools.mjs', import.meta.url));

/** The commands of the section, in order. */
async function documentedCommands(): Promise<string> {
  const [, section = ''] = /## Start on one host\n([\s\S]*?)\n## /.exec(await readFile(PAGE, 'utf8')) ?? [];
  return [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, commands]) => commands).join('');
}

/** A folder as that of an operator: the tools, and the command in the path. */
async function operatorFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'documented-commands-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(
    join(folder, 'mcp-sessions-server'),
    `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`,
  );
  await chmod(join(folder, 'mcp-sessions-server'), 0o755);
  // The module imports a package of the project.
  await writeFile(join(folder, 'tools.mjs'), `export { default } from ${JSON.stringify(TOOLS)};\n`);
  return folder;
}

/** Runs commands in a shell, and ends all their processes with the test. */
function run(commands: string, folder: string, environment: Readonly<Record<string, string>>): void {
  const PATH = `${folder}:${process.env.PATH}`;
  const shell = spawn('/bin/sh', ['-e', '-c', `${commands}wait\n`], {
    cwd: folder,
    env: { ...environment, PATH },
    stdio: 'ignore',
    detached: true,
  });
  const ended = once(shell, 'exit');
  onTestFinished(async () => {
    // The group of the shell and its children.
    if (shell.pid !== undefined) process.kill(-shell.pid, 'SIGTERM');
    await ended;
  });
}

describe.skipIf(!isInstalled(REDIS))('the commands of docs/cluster.md', () => {
  it('start three servers on one host, and each serves a login of the others', async () => {
    const provider = await startIdentityProviderProcess();
    onTestFinished(() => provider.stop());
    const balancer = await startBalancer();
    onTestFinished(() => balancer.close());
    const folder = await operatorFolder();
    const documented = await documentedCommands();
    expect(documented.match(/^mcp-sessions-server --tools .* &$/gm)).toHaveLength(3);

    // Other ports only: those of the page may be in use.
    const ports = [await freePort(), await freePort(), await freePort()];
    const placed = [6379, 8080, 3001, 3002, 3003].map(String);
    const instead = [await freePort(), new URL(balancer.url).port, ...ports].map(String);
    const commands = placed
      .reduce((text, port, at) => text.replaceAll(port, instead[at] ?? ''), documented)
      .replace('redis-server ', `redis-server --port ${instead[0]} `);
    run(commands, folder, { ...provider.serverEnvironment });
    for (const port of ports) {
      await expect
        .poll(() =>
          send(`http://127.0.0.1:${port}/readyz`).then(
            ({ status }) => status,
            () => 0,
          ),
        )
        .toBe(200);
      balancer.add(port);
    }
    expect((await stat(join(folder, 'master-keys'))).mode & 0o777).toBe(0o600);

    const { secret } = await logIn(client2026(`${balancer.url}/mcp`), new Browser(), 'alice');
    for (const port of ports) {
      const client = client2026(`http://127.0.0.1:${port}/mcp`, secret);
      expect((await client.call('whoami')).text).toContain('alice');
    }
  });
});
