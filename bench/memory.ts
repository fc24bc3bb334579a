/**
 * Measures the memory of idle sessions: `npm run bench:memory`.
 *
 * Each server has a process of its own. What it has with some sessions is subtracted from what it has with more, after
 * full collections. `--logged-in` is how many sessions of this library are measured in one process.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { Clients } from './load/clients.js';
import { manySessions, manySteps } from './memory/many-sessions.js';
import { type MemoryRow, measureMemory, memoryCases } from './memory/per-session.js';
import { memoryChart, memoryTable } from './memory/report.js';
import { countOption, flagsOption, isSelected, onlyOption, parseOptions } from './options.js';
import { pin } from './processors.js';
import { describeMachine } from './report/machine.js';
import { Progress } from './report/progress.js';
import { whole } from './report/statistics.js';
import { CLIENT_PROCESSOR } from './servers/running-server.js';

/** Seen from `bench/dist/bench`. */
const RESULTS = new URL('../../results/', import.meta.url);

const options = parseOptions(process.argv.slice(2), {
  sessions: countOption.default(20_000).describe('the idle sessions of each server. Default: 20000'),
  'logged-in': countOption
    .default(1_000_000)
    .describe('the logged-in sessions of one process of mcp-sessions. Default: 1000000'),
  only: onlyOption,
  'node-flags': flagsOption,
});
const { sessions, 'logged-in': loggedIn, 'node-flags': flags } = options;
pin(process.pid, CLIENT_PROCESSOR);

const cases = memoryCases().filter(({ name }) => isSelected(options, name));
const hasMany = isSelected(options, 'many-mcp-sessions');
const progress = new Progress(cases.length + (hasMany ? manySteps(loggedIn) : 0));
const rows: MemoryRow[] = [];
const clients = new Clients();
try {
  for (const each of cases) {
    progress.step(each.name, `${sessions} sessions`);
    rows.push(await measureMemory(each, { sessions, flags }, clients));
  }
} finally {
  await clients.stop();
}
const sections: string[] = [];
if (rows.length > 0) sections.push(`## One idle session, of ${whole(sessions)}\n\n${memoryTable(rows)}`);
if (hasMany) {
  const many = await manySessions(loggedIn, flags, progress);
  sections.push(`## ${whole(loggedIn)} logged-in sessions\n\n${many}`);
}
progress.end();

const table = ['# Memory', describeMachine(flags), ...sections].join('\n\n');
console.log(table);
if (options.only.length === 0) {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(new URL('memory.md', RESULTS), `${table}\n`);
  writeFileSync(new URL('memory.svg', RESULTS), memoryChart(rows));
}
