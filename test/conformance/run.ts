/**
 * Runs the official MCP conformance suite, server scenarios of both revisions, against the fixture.
 *
 * The suite needs Node 22 or newer; on an older one npm brings Node 24 along, for the suite only: the fixture
 * keeps running on the Node this script was started with.
 */
import { spawn } from 'node:child_process';
import { startFixture } from './fixture.js';

const suite = '@modelcontextprotocol/conformance@0.2.0-alpha.12';
const revisions = ['2025-11-25', '2026-07-28'] as const;
const suiteTimeoutMs = 10 * 60_000;

interface Scenario {
  name: string;
  passed: boolean;
  scored: boolean;
}

/** Prefix of a command line that runs what follows with the suite, and a Node it works on, on the PATH. */
function npmExec(): string[] {
  const packages = [suite];
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major < 22) {
    const platform = process.platform === 'win32' ? 'win' : process.platform;
    packages.push(`node-${platform}-${process.arch}@24`);
  }
  return ['exec', '--yes', '--loglevel=error', ...packages.map((name) => `--package=${name}`), '--'];
}

/** Runs the suite and returns what it printed. A failed scenario is an exit code too, so that says nothing here. */
function runSuite(...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', [...npmExec(), 'conformance', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      shell: process.platform === 'win32',
      timeout: suiteTimeoutMs,
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      if (process.argv.includes('--verbose')) process.stdout.write(chunk);
    });
    child.on('error', reject);
    child.on('close', () => resolve(output));
  });
}

/** Reads the suite's summary, `✓ ping: 2 passed, 0 failed`, and its list of scenarios that do not count. */
function readScenarios(output: string): Scenario[] {
  const summary = output.slice(output.lastIndexOf('=== SUMMARY ==='));
  const unscored = new Set([...summary.matchAll(/^ {2}[✓✗] (\S+) \(/gm)].map(([, name]) => name));
  return [...summary.matchAll(/^[✓✗] (\S+): (\d+) passed, (\d+) failed/gm)].map(
    ([, name, passes, failures]) => ({
      name: name!,
      // A scenario without a single check has shown nothing.
      passed: failures === '0' && passes !== '0',
      scored: !unscored.has(name),
    }),
  );
}

/** Some checks only expect a refusal, which a dead port gives too. */
async function assertAnswers(url: string): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'conformance-runner', version: '0' },
      },
    }),
  });
  const text = await response.text();
  if (!response.ok || !text.includes('"protocolVersion":"2025-11-25"')) {
    throw new Error(`The fixture at ${url} does not answer initialize: HTTP ${response.status} ${text}`);
  }
}

function report(revision: string, scenarios: Scenario[]): boolean {
  const scored = scenarios.filter((scenario) => scenario.scored);
  const failed = scored.filter((scenario) => !scenario.passed);
  const unscoredFailed = scenarios.filter((scenario) => !scenario.scored && !scenario.passed);
  console.log(`${revision}: ${scored.length - failed.length} scenarios passed, ${failed.length} failed`);
  for (const { name } of failed) console.log(`  ✗ ${name}`);
  if (unscoredFailed.length > 0) {
    console.log(`  not scored, failed: ${unscoredFailed.map(({ name }) => name).join(', ')}`);
  }
  return scored.length > 0 && failed.length === 0;
}

const fixture = await startFixture();
try {
  for (const revision of revisions) {
    await assertAnswers(fixture.url);
    const output = await runSuite('server', '--url', fixture.url, '--requirements', revision);
    await assertAnswers(fixture.url);
    const scenarios = readScenarios(output);
    if (scenarios.length === 0) console.error(`The suite printed no summary:\n${output}`);
    if (!report(revision, scenarios)) process.exitCode = 1;
  }
} finally {
  await fixture.close();
}
