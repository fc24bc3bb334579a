import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const example = (name: string) => read(`examples/cluster/${name}`);
const SYSTEMD_ANALYZE = '/usr/bin/systemd-analyze';
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
