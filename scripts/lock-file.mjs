// Checks that every package in a lock file has `integrity` and none has `resolved`. If a package is installed but not in
// the lock file, npm writes entries without `integrity` for other platforms and keeps them. `--mend` makes npm write
// those entries again.
// Usage: node scripts/lock-file.mjs [--mend] [path]
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const given = process.argv.slice(2);
const isMending = given.includes('--mend');
const path =
  given.find((argument) => argument !== '--mend') ??
  fileURLToPath(new URL('../package-lock.json', import.meta.url));

const isInstalled = ([place, { link }]) => place.includes('node_modules/') && !link;
/** A bundled package is covered by the digest of its parent. */
const lacksDigest = ([, { integrity, inBundle }]) => !integrity && !inBundle;

/** Entries of installed packages: `[place, entry]`. */
function readEntries(lockFile) {
  return Object.entries(lockFile.packages).filter(isInstalled);
}

function mend() {
  const lockFile = JSON.parse(readFileSync(path, 'utf8'));
  for (const [place] of readEntries(lockFile).filter(lacksDigest)) delete lockFile.packages[place];
  writeFileSync(path, `${JSON.stringify(lockFile, null, 2)}\n`);
  const options = ['install', '--package-lock-only', '--ignore-scripts', '--omit-lockfile-registry-resolved'];
  spawnSync('npm', options, { cwd: dirname(path), stdio: 'inherit', shell: process.platform === 'win32' });
}

if (isMending) mend();
const entries = readEntries(JSON.parse(readFileSync(path, 'utf8')));
const mistakes = [
  ...entries.filter(lacksDigest).map(([place]) => `${place} has no "integrity"`),
  ...entries.filter(([, { resolved }]) => resolved).map(([place]) => `${place} has a "resolved" address`),
];
for (const mistake of mistakes) console.error(`✗ ${mistake}`);
if (mistakes.length > 0) console.error('To correct it: node scripts/lock-file.mjs --mend');
else console.log(`${entries.length} packages, all with a digest.`);
process.exitCode = mistakes.length > 0 || entries.length === 0 ? 1 : 0;
