// Builds what is published of the package in this folder: a bundle, and the declarations of its modules. Tests and
// `npm start` use the modules that `tsc -b` makes, so it has to run again after this.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bundle, entriesOf } from './bundle.mjs';

const folder = process.cwd();
const dist = join(folder, 'dist');

rmSync(dist, { recursive: true, force: true });
const { status } = spawnSync('tsc', ['-b'], { stdio: 'inherit', shell: process.platform === 'win32' });
if (status !== 0) process.exit(1);
for (const file of readdirSync(dist, { recursive: true })) {
  if (/\.js(\.map)?$|^\.tsbuildinfo$/.test(file)) rmSync(join(dist, file));
}
await bundle(folder, entriesOf(folder), 'dist');
