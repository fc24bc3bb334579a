// The browser test needs Chromium, which npm cannot bring. Runs before the tests and never fails them: where
// Chromium stays missing, that test says so and counts as skipped.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const browser = '/usr/bin/chromium';
const canInstall = () =>
  process.platform === 'linux' && existsSync('/etc/debian_version') && process.getuid?.() === 0;

function aptGet(...args) {
  const { status } = spawnSync('apt-get', ['-qq', '-y', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: 10 * 60_000,
  });
  return status === 0;
}

if (!existsSync(browser)) {
  if (canInstall()) {
    console.error("Installing Debian's package chromium for the browser test …");
    aptGet('update');
    aptGet('install', '--no-install-recommends', 'chromium');
  }
  if (!existsSync(browser)) {
    console.error(`No ${browser}: the browser test will be skipped. Install the package chromium to run it.`);
  }
}
