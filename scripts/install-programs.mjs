// Installs programs that tests need and npm does not have: `install-programs.mjs chromium nginx redis-server`. It runs before the
// tests and never fails. If a program is missing, its tests are skipped with a message, or fail if CI or
// REQUIRE_PROGRAMS is set.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** The path of each program in the Debian package of the same name. */
const PATHS = {
  chromium: '/usr/bin/chromium',
  haproxy: '/usr/sbin/haproxy',
  nginx: '/usr/sbin/nginx',
  'redis-server': '/usr/bin/redis-server',
};

const isMissing = (program) => !existsSync(PATHS[program]);
const canInstall = () =>
  process.platform === 'linux' && existsSync('/etc/debian_version') && process.getuid?.() === 0;

function aptGet(...args) {
  spawnSync('apt-get', ['-qq', '-y', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    // In single-user mode, the package of a server does not start it.
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    timeout: 10 * 60_000,
  });
}

const missing = process.argv.slice(2).filter(isMissing);
if (missing.length > 0 && canInstall()) {
  console.error(`Installing Debian's packages for the tests: ${missing.join(', ')} …`);
  aptGet('update');
  aptGet('install', '--no-install-recommends', ...missing);
}
for (const program of missing.filter(isMissing)) {
  console.error(`${PATHS[program]} is missing. Install the package ${program} to run its tests.`);
}
