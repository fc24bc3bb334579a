import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const example = (name: string) => read(`examples/cluster/${name}`);
const SYSTEMD_ANALYZE = '/usr/bin/systemd-analyze';
const HAPROXY = '/usr/sbin/haproxy';
const UNIT = 'mcp-sessions@.service';

/** The settings without which an engine writes sessions to disk, or evicts them. */
const ENGINE = {
  save: '',
  appendonly: 'no',
  'repl-diskless-sync': 'yes',
  'repl-diskless-load': 'swapdb',
  'maxmemory-policy': 'noeviction',
};

describe('docs/cluster.md', () => {
  it.each(['nginx.conf', 'haproxy.cfg', UNIT, 'redis.conf', 'compose.yaml'])('quotes %s as it is', (name) => {
    const [, quoted] =
      read('docs/cluster.md')
        .split(`<summary><code>${name}</code></summary>`)[1]
        ?.match(/```\w+\n([\s\S]*?)```/) ?? [];
    expect(quoted).toBe(example(name));
  });
});

describe('the examples of several servers', () => {
  it('have an engine that keeps sessions in memory, with and without containers [security 51]', () => {
    const lines = example('redis.conf').split('\n');
    const list = example('compose.yaml')
      .replaceAll(/\n {6}- "?/g, ' ')
      .replaceAll(/"(?=\s)/g, '');
    for (const [setting, value] of Object.entries(ENGINE)) {
      expect(lines).toContain(`${setting} ${value || '""'}`);
      expect(list).toContain(`--${setting} ${value}`);
    }
  });

  it('give HAProxy an address in its container that no server can have', () => {
    const compose = example('compose.yaml');
    const last = (pattern: RegExp) => Number(pattern.exec(compose)?.[1]);
    expect(last(/ipv4_address: 172[.]30[.]0[.](\d+)/)).toBeLessThan(last(/ip_range: 172[.]30[.]0[.](\d+)/));
    expect(compose).toContain('MCP_SESSIONS_TRUSTED_PROXIES: 172.30.0.2\n');
    expect(compose).toContain('ipv4_address: 172.30.0.2 ');
  });

  it.skipIf(!existsSync(HAPROXY)).each(['haproxy.cfg', 'haproxy-2026.cfg'])(
    'have a %s that starts before the names of the servers are known',
    (name) => {
      const env = { MCP_SERVER_1: 'server1.invalid:3000' };
      const file = fileURLToPath(new URL(`examples/cluster/${name}`, root));
      const { stderr, error } = spawnSync(HAPROXY, ['-c', '-f', file], { encoding: 'utf8', env });
      expect(error).toBeUndefined();
      expect(stderr).not.toContain('[ALERT]');
    },
  );

  it.skipIf(!existsSync(SYSTEMD_ANALYZE))('have a unit that systemd accepts', () => {
    const folder = mkdtempSync(join(tmpdir(), 'unit-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    copyFileSync(new URL(`examples/cluster/${UNIT}`, root), join(folder, UNIT));
    const unit = join(folder, UNIT.replace('@', '@3001'));
    const { stderr, error } = spawnSync(SYSTEMD_ANALYZE, ['verify', unit], { encoding: 'utf8' });
    expect(error).toBeUndefined();
    // It names the lines of the file that it does not understand, and whether programs are there.
    expect(stderr.split('\n').filter((line) => line.includes(`${UNIT}:`))).toEqual([]);
  });
});
