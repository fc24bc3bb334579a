/**
 * Runs the server scenarios of the official MCP conformance suite for both revisions against the fixture, with each
 * value of `dispatch`. The exit code is 0 only if the server conforms to both revisions. `--verbose` prints the output of the suite.
 */
import type { Dispatch } from 'mcp-sessions';
import { startFixture } from './fixture.js';
import { runRequirements } from './suite.js';
import { judge } from './verdict.js';

/** The revisions, each with scenarios that must have run, scored or not. */
const revisions = {
  '2025-11-25': ['server-session-lifecycle', 'dns-rebinding-protection'],
  '2026-07-28': ['dns-rebinding-protection'],
};

/** Some checks expect only an error, which a closed port causes, too. */
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

const isVerbose = process.argv.includes('--verbose');

for (const dispatch of ['direct', 'sdk'] as const) await runAll(dispatch);
console.log(process.exitCode ? 'conformance: FAILED' : 'conformance: both revisions conform');

async function runAll(dispatch: Dispatch): Promise<void> {
  const fixture = await startFixture(dispatch);
  try {
    for (const [revision, demanded] of Object.entries(revisions)) {
      await assertAnswers(fixture.url);
      const run = await runRequirements(fixture.url, revision, (text) => {
        if (isVerbose) process.stdout.write(text);
      });
      await assertAnswers(fixture.url);
      const { lines, conforms } = judge(revision, run, demanded);
      console.log([`dispatch: ${dispatch}`, ...lines].join('\n'));
      if (run.scenarios.length === 0) console.error(`The suite printed no summary:\n${run.output}`);
      if (!conforms) process.exitCode = 1;
    }
  } finally {
    await fixture.close();
  }
}
