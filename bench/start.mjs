// Runs a benchmark: `node bench/start.mjs throughput [its options]`. Installs the packages of this folder if they are
// missing or not those of the lock file, compiles the library and the benchmarks, and bundles the library.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundle } from '../scripts/bundle.mjs';

const [, , name, ...given] = process.argv;
const bench = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));

function run(command, args, cwd) {
  const { status, signal } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (status !== 0) process.exit(signal ? 1 : (status ?? 1));
}

/** npm writes what it has installed to a file of its own. */
function isInstalled() {
  const installed = `${bench}node_modules/.package-lock.json`;
  if (!existsSync(installed)) return false;
  const versionsIn = (path) =>
    Object.entries(JSON.parse(readFileSync(path, 'utf8')).packages)
      .filter(([place]) => place !== '')
      .map(([place, { version, integrity }]) => [place, [version, integrity].join(' ')]);
  const present = new Map(versionsIn(installed));
  const locked = JSON.parse(readFileSync(`${bench}package-lock.json`, 'utf8')).packages;
  return versionsIn(`${bench}package-lock.json`).every(
    ([place, version]) => present.get(place) === version || locked[place]?.optional === true,
  );
}

if (!isInstalled()) run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], bench);
const tsc = `${root}node_modules/.bin/tsc`;
run(tsc, ['-b'], root);
run(tsc, ['-p', 'bench'], root);
const { INTERNAL_MODULES } = await import('./dist/bench/library.js');
await bundle(`${root}packages/sessions`, INTERNAL_MODULES, 'dist/bench');
// V8's collector is exposed to the measurements that need it, as in the processes that they start.
run('node', ['--expose-gc', `${bench}dist/bench/${name}.js`, ...given], root);
