import { execFile } from 'node:child_process';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

const run = promisify(execFile);
const pin = z.object({ package: z.string(), version: z.string() });
const VERSIONS = new URL('../../../versions.json', import.meta.url);

/** A package that is installed outside of the repository. */
export interface Installed {
  readonly package: string;
  readonly version: string;
  /** Its `node_modules`. */
  readonly modules: string;
}

/** The version that `versions.json` pins. */
export async function pinnedVersion(name: string): Promise<string> {
  return (await pinOf(name)).version;
}

/** Installs exactly the version that `versions.json` pins, unless it is there already. */
export async function install(name: string): Promise<Installed> {
  const pinned = await pinOf(name);
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'mcp-sessions-hosts');
  const folder = join(cache, `${name}-${pinned.version}`);
  if (!(await exists(folder))) {
    console.error(`Installing ${pinned.package}@${pinned.version} …`);
    const unfinished = `${folder}.${process.pid}`;
    await mkdir(unfinished, { recursive: true });
    await writeFile(join(unfinished, 'package.json'), '{"private":true}');
    const args = [
      'install',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      `${pinned.package}@${pinned.version}`,
    ];
    await run('npm', args, { cwd: unfinished });
    await rename(unfinished, folder);
  }
  return { ...pinned, modules: join(folder, 'node_modules') };
}

async function pinOf(name: string): Promise<z.output<typeof pin>> {
  const found = z.record(z.string(), pin).parse(JSON.parse(await readFile(VERSIONS, 'utf8')))[name];
  if (!found) throw new Error(`versions.json has no ${name}.`);
  return found;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
