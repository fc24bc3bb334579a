/**
 * Measures the memory of idle sessions: `npm run bench:memory`.
 *
 * Each server has a process of its own. What it has with some sessions is subtracted from what it has with more, after
 * full collections. `--logged-in 1000000` measures that many sessions of this library in one process.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { Clients } from './load/clients.js';
import { manySessions } from './memory/many-sessions.js';
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
  sessions: countOption.default(20_000),
  'logged-in': countOption.default(100_000),
  only: onlyOption,
  'node-flags': flagsOption,
});
const { sessions, 'logged-in': loggedIn, 'node-flags': flags } = options;
pin(process.pid, CLIENT_PROCESSOR);

const cases = memoryCases().filter(({ name }) => isSelected(options, name));
const hasMany = isSelected(options, 'many-mcp-sessions');
const progress = new Progress(cases.length + (hasMany ? 1 : 0));
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
  progress.step('many sessions', `${loggedIn} sessions`);
  sections.push(`## ${whole(loggedIn)} logged-in sessions\n\n${await manySessions(loggedIn, flags)}`);
}
progress.end();

const table = ['# Memory', describeMachine(flags), ...sections].join('\n\n');
console.log(table);
if (options.only.length === 0) {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(new URL('memory.md', RESULTS), `${table}\n`);
  writeFileSync(new URL('memory.svg', RESULTS), memoryChart(rows));
}
