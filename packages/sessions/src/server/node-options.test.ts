import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { givenNodeOptions, splitNodeOptions } from './node-options.js';

describe('NODE_OPTIONS', () => {
  it.each([
    ['--a --b=1', ['--a', '--b=1']],
    ['  --a   --b ', ['--a', '--b']],
    ['"--a"', ['--a']],
    ['--"a"', ['--a']],
    ['--title="two words" --b', ['--title=two words', '--b']],
    [String.raw`"--title=a \"quoted\" \\ word"`, [String.raw`--title=a "quoted" \ word`]],
    [String.raw`--title=C:\temp`, [String.raw`--title=C:\temp`]],
    ['--a\t--b', ['--a\t--b']],
    ['""', []],
    ['', []],
  ])('is split as Node splits it: %s', (text, options) => {
    expect(splitNodeOptions(text)).toEqual(options);
  });
});

describe('the options of a process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'node-options-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  function withConfigFile(content: string) {
    const path = join(folder, 'node.config.json');
    writeFileSync(path, content);
    return path;
  }

  it('come from the command line and from NODE_OPTIONS, with dashes for underscores', () => {
    const options = givenNodeOptions({
      execArgv: ['--heap_prof', '-r', './a_b.js'],
      nodeOptions: '--tls_keylog=a_b',
    });
    expect(options).toEqual(['--heap-prof', '-r', '--tls-keylog=a_b']);
  });

  it.each([
    ['a value', (path: string) => [`--experimental-config-file=${path}`]],
    ['the next argument', (path: string) => ['--experimental-config-file', path]],
    ['an option of later versions', (path: string) => [`--config-file=${path}`]],
  ])('come from the configuration file, too, given as %s', (_how, execArgvFor) => {
    const path = withConfigFile('{"nodeOptions":{"heap_prof":true,"inspect":false,"tls-keylog":"f"}}');
    const options = givenNodeOptions({ execArgv: execArgvFor(path), nodeOptions: '' });
    expect(options.slice(1)).toEqual(['--heap-prof', '--tls-keylog=f']);
  });

  it('count as unknown if the configuration file cannot be read', () => {
    const path = withConfigFile('{');
    const options = givenNodeOptions({ execArgv: [`--config-file=${path}`], nodeOptions: '' });
    expect(options).toContain('--unreadable-config-file');
  });

  it('are those of the command line if there is no default configuration file', () => {
    const execArgv = ['--experimental-default-config-file'];
    expect(givenNodeOptions({ execArgv, nodeOptions: '' })).toEqual(execArgv);
  });
});
