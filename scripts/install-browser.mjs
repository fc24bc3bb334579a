// The browser tests need Chromium, which npm cannot bring. Runs before the tests and never fails itself: where
// Chromium stays missing, those tests say so and count as skipped, or fail where CI or REQUIRE_BROWSER is set.
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
    console.error(`No ${browser}: the browser tests cannot run. Install the package chromium to run it.`);
  }
}
