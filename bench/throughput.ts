/**
 * Measures this library beside other MCP servers: `npm run bench`.
 *
 * Every server is a process of its own on one processor; the clients run on another, over loopback with connections
 * that are kept alive. The rounds of all cases are interleaved, so that other load of the machine affects all alike.
 * Every answer is checked, and a wrong one fails the benchmark. `--only` measures some of the cases, and writes no
 * files.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { Clients } from './load/clients.js';
import { benchOptions } from './options.js';
import { pin } from './processors.js';
import { describeMachine } from './report/machine.js';
import { Progress } from './report/progress.js';
import { CLIENT_PROCESSOR } from './servers/running-server.js';
import { callSteps, measureCalls } from './throughput/calls.js';
import { casesOf } from './throughput/cases.js';
import { callChart } from './throughput/chart.js';
import { creationKinds, creationSteps, measureCreations } from './throughput/creations.js';
import { hasLogins, measureLogins } from './throughput/logins.js';
import { callTable, creationTable, loginSentence, startTable } from './throughput/report.js';
import { measureStarts, startKinds, startSteps } from './throughput/starts.js';

/** Seen from `bench/dist/bench`. */
const RESULTS = new URL('../../results/', import.meta.url);

const options = benchOptions(process.argv.slice(2));
const cases = casesOf(options);
const created = creationKinds(options);
const started = startKinds(options);
pin(process.pid, CLIENT_PROCESSOR);

const loginSteps = hasLogins(options) ? options.rounds + 1 : 0;
const progress = new Progress(
  callSteps(cases, options) + creationSteps(created, options) + startSteps(started, options) + loginSteps,
);
const sections: string[] = [];
const clients = new Clients();
let chart: string | undefined;
try {
  if (cases.length > 0) {
    const calls = await measureCalls(cases, options, clients, progress);
    for (const era of ['2026', '2025'] as const) {
      if (cases.some(({ kind }) => kind.era === era))
        sections.push(`## tools/call, revision ${era}\n\n${callTable(calls, era)}`);
    }
    chart = callChart(calls, Math.max(...options.sessions.filter((count) => count <= 10_000)));
  }
  if (created.length > 0) {
    const creations = await measureCreations(created, options, clients, progress);
    sections.push(`## Create a session and call once, revision 2025\n\n${creationTable(creations)}`);
  }
  if (started.length > 0)
    sections.push(`## Start\n\n${startTable(await measureStarts(started, options, progress))}`);
  if (loginSteps > 0) sections.push(`## Login\n\n${loginSentence(await measureLogins(options, progress))}`);
} finally {
  await clients.stop();
}
progress.end();

const conditions = `${options.rounds} interleaved rounds of ${options.seconds} s, 64 connections: medians, with the smallest and the largest figure.${options.dispatch === 'sdk' ? ' The SDK dispatches every call of mcp-sessions.' : ''}`;
const table = ['# Throughput', `${conditions}\n${describeMachine(options.flags)}`, ...sections].join('\n\n');
console.log(table);
if (options.only.length === 0) {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(new URL('throughput.md', RESULTS), `${table}\n`);
  if (chart) writeFileSync(new URL('throughput.svg', RESULTS), chart);
}
