import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../scripts/lock-file.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'lock-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

function check(packages: Readonly<Record<string, object>>) {
  const path = join(folder, 'package-lock.json');
  writeFileSync(path, JSON.stringify({ lockfileVersion: 3, packages }));
  const { status, stderr } = spawnSync(process.execPath, [script, path], { encoding: 'utf8' });
  return { status, stderr };
}

const sound = {
  '': { name: 'workspace' },
  'packages/a': { version: '1.0.0' },
  'node_modules/a': { resolved: 'packages/a', link: true },
  'node_modules/b': { version: '1.0.0', integrity: 'sha512-x' },
};

describe('the check of the lock file', () => {
  it('accepts workspaces without a digest, and packages with one', () => {
    expect(check(sound)).toEqual({ status: 0, stderr: '' });
  });

  it('refuses a package without a digest, at any depth, and names it', () => {
    const { status, stderr } = check({ ...sound, 'node_modules/b/node_modules/c': { version: '1.0.0' } });
    expect(status).toBe(1);
    expect(stderr).toContain('node_modules/b/node_modules/c has no "integrity"');
  });

  it('refuses a package that says where it was fetched from', () => {
    const b = { ...sound['node_modules/b'], resolved: 'https://mirror.test/b.tgz' };
    const { status, stderr } = check({ ...sound, 'node_modules/b': b });
    expect(status).toBe(1);
    expect(stderr).toContain('node_modules/b has a "resolved" address');
  });

  it('refuses a lock file without packages', () => {
    expect(check({ '': {} }).status).toBe(1);
  });
});
