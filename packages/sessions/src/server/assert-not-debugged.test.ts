import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import { debuggingReason, type ProcessSettings } from './assert-not-debugged.js';

const plain: ProcessSettings = {
  execArgv: ['--enable-source-maps'],
  nodeOptions: '',
  isInspected: false,
  writesReports: false,
  keyLogFile: '',
  isPrinted: () => false,
};

describe('a process that is being debugged', () => {
  it.each<[string, Partial<ProcessSettings>]>([
    ['--inspect', { execArgv: ['--inspect'] }],
    ['--inspect-brk=0', { execArgv: ['--inspect-brk=0'] }],
    ['--heapsnapshot-signal=SIGUSR2', { nodeOptions: '"--heapsnapshot-signal=SIGUSR2"' }],
    ['--heapsnapshot-near-heap-limit', { execArgv: ['--heapsnapshot-near-heap-limit', '1'] }],
    ['--heap-prof', { execArgv: ['--heap_prof'] }],
    ['--report-on-signal', { nodeOptions: '--report_on_signal' }],
    ['--tls-keylog=f', { nodeOptions: '--no-warnings --tls_keylog=f' }],
    ['--trace-event-categories=node.http', { execArgv: ['--trace-event-categories=node.http'] }],
    ['-trace', { execArgv: ['-trace'] }],
    ['NODE_DEBUG=http', { isPrinted: (module) => module.startsWith('http') }],
    ['NODE_DEBUG=child_process', { isPrinted: (module) => module === 'child_process' }],
    ['an attached inspector', { isInspected: true }],
    ['diagnostic reports', { writesReports: true }],
    ['SSLKEYLOGFILE', { keyLogFile: '/tmp/keys' }],
  ])('is detected, with the setting that exposes secrets: %s [security 33]', (reason, settings) => {
    expect(debuggingReason({ ...plain, ...settings })).toBe(reason);
  });

  it.each<[string, Partial<ProcessSettings>]>([
    ['other options', plain],
    ['a CPU profile, which has names of functions only', { execArgv: ['--cpu-prof', '--prof'] }],
    ['a port for an inspector that is off', { execArgv: ['--inspect-port=0'] }],
    ['warnings with stacks', { nodeOptions: '--trace-warnings --trace-uncaught --trace-sigint' }],
    ['a title that looks like an option', { nodeOptions: '"--title=x --inspect"' }],
    ['an option turned off', { execArgv: ['--no-heap-prof'] }],
    ['other parts of Node printed', { isPrinted: (module) => module === 'timers' }],
  ])('is not detected because of %s', (_what, settings) => {
    expect(debuggingReason({ ...plain, ...settings })).toBeUndefined();
  });
});

describe('the library in a process that is being debugged', () => {
  const folder = mkdtempSync(join(tmpdir(), 'assert-not-debugged-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const library = new URL('../../dist/index.js', import.meta.url).href;

  /** Runs a process that creates sessions twice, with the built library, and returns what it printed. */
  async function created(
    options: string,
    environment: NodeJS.ProcessEnv,
    nodeArguments: readonly string[] = [],
  ) {
    const script = `
      import { createSessions } from ${JSON.stringify(library)};
      const options = {
        server: { name: 'test', version: '1.0.0' },
        tools: () => undefined,
        providers: { issuer: 'https://id.example.com', clientId: 'test' },
        ${options}
      };
      await createSessions(options).close();
      await createSessions(options).close();
      console.log('created');`;
    const child = spawn(process.execPath, [...nodeArguments, '--input-type=module', '--eval', script], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, ...environment },
    });
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { stdout, stderr };
  }

  const debugged = { NODE_OPTIONS: '"--heapsnapshot-signal=SIGUSR2"' };

  it('warns once and continues [security 33]', async () => {
    const { stdout, stderr } = await created('', debugged);
    expect(stdout).toBe('created\n');
    expect(stderr.match(/--heapsnapshot-signal=SIGUSR2, users' tokens can be read/g)).toHaveLength(1);
    expect(stderr).toContain('MCP_SESSIONS_DEBUGGING');
  });

  it('warns through its logger if it has one [security 33]', async () => {
    const { stdout, stderr } = await created(
      'logger: { ...console, warn: (_entry, text) => console.log(text) },',
      debugged,
    );
    expect(stdout).toMatch(/^With --heapsnapshot-signal=SIGUSR2, [^\n]*\n/);
    expect(stderr).toBe('');
  });

  it('throws with allowDebugging: false [security 33]', async () => {
    const { stdout, stderr } = await created('allowDebugging: false,', debugged);
    expect(stdout).toBe('');
    expect(stderr).toContain('allow debugging');
  });

  it('does not warn with allowDebugging: true', async () => {
    expect(await created('allowDebugging: true,', debugged)).toEqual({ stdout: 'created\n', stderr: '' });
  });

  it('detects settings from an environment file, and wildcards [security 33]', async () => {
    const file = join(folder, 'env');
    writeFileSync(file, 'NODE_OPTIONS="--report_on_signal"\n');
    const fromFile = await created('', {}, [`--env-file=${file}`]);
    expect(fromFile.stderr).toContain('With --report-on-signal');
    const fromWildcard = await created('', { NODE_DEBUG: 'htt*2' });
    expect(fromWildcard.stderr).toContain('With NODE_DEBUG=http2');
  });

  it('detects settings that the process has enabled itself [security 33]', async () => {
    const reporting = await created('...(process.report.reportOnSignal = true, {}),', {});
    expect(reporting.stderr).toContain('With diagnostic reports');
    const module = join(folder, 'inspect.mjs');
    writeFileSync(module, "import { open } from 'node:inspector';\nopen(0, '127.0.0.1');\n");
    const inspected = await created('', {}, ['--import', module]);
    expect(inspected.stderr).toContain('With an attached inspector');
  });
});
