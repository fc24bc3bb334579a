// Runs the `check:*` scripts of package.json in their order, all of them, even after one has failed.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const checks = Object.keys(scripts).filter((name) => name.startsWith('check:'));

const failed = checks.filter((name) => {
  console.log(`\n━━━━ ${name} ━━━━`);
  const { status } = spawnSync('npm', ['run', '--silent', name], {
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  return status !== 0;
});

console.log('\n━━━━ check ━━━━');
for (const name of checks) console.log(`${failed.includes(name) ? '✗' : '✓'} ${name}`);
process.exitCode = failed.length > 0 ? 1 : 0;
