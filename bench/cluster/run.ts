/**
 * Measures servers that share an engine, beside one without: `npm run bench:cluster`.
 *
 * All servers run on one processor; clients and engine on another. So this shows what a request costs, in CPU time of
 * servers and engine, and not what three machines carry: that is calculated from it. Needs redis-server.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { isInstalled } from '../../test/support/installed-program.js';
import { REDIS } from '../../test/support/redis-server.js';
import { z } from '../library.js';
import { Clients } from '../load/clients.js';
import { countOption, parseOptions } from '../options.js';
import { pin } from '../processors.js';
import { describeProcess } from '../report/machine.js';
import { Progress } from '../report/progress.js';
import { whole } from '../report/statistics.js';
import { CLIENT_PROCESSOR } from '../servers/running-server.js';
import { BenchEngine } from './engine.js';
import { startNodes } from './nodes.js';
import { callTable, capacityTable, sessionTable } from './report.js';
import { ClusterRounds, casesOf } from './rounds.js';

/** Seen from `bench/dist/bench/cluster`. */
const RESULTS = new URL('../../../results/', import.meta.url);
const CASES = 8;

const options = parseOptions(process.argv.slice(2), {
  rounds: countOption.default(5).describe('how often each case is measured. Default: 5'),
  seconds: countOption.default(2).describe('the length of each measurement. Default: 2'),
  sessions: countOption.default(2000).describe('the logged-in sessions. Default: 2000'),
  write: z
    .enum(['yes', 'no'])
    .default('yes')
    .describe('whether the result is written to bench/results. Default: yes'),
});
const { rounds, seconds, sessions } = options;
if (!isInstalled(REDIS)) process.exit(1);
pin(process.pid, CLIENT_PROCESSOR);

const progress = new Progress(1 + CASES * (rounds + 1));
const clients = new Clients();
const engine = await BenchEngine.start();
try {
  progress.step('starting servers and adding sessions', `${sessions} sessions`);
  const nodes = await startNodes(engine, sessions, clients);
  try {
    const measured = new ClusterRounds(engine, clients, casesOf(nodes));
    await measured.warmUp(progress);
    const figures = await measured.run(rounds, seconds, progress);
    progress.end();
    const conditions = `${rounds} interleaved rounds of ${seconds} s, 64 connections, ${whole(sessions)} sessions, revision 2026: medians, with the smallest and the largest figure. All servers share one processor, clients and engine another.`;
    const table = [
      '# Several servers with one engine',
      `${conditions}\n${describeProcess()}\nredis-server ${await engine.version()}.`,
      `## tools/call\n\n${callTable(figures)}`,
      `## A session\n\n${sessionTable(nodes.session)}`,
      `## What they carry\n\nCalculated: half of a processor's time, divided by the time of a request at one server. A GB of \`maxmemory\` is filled to 80 %.\n\n${capacityTable(figures, nodes.session)}`,
    ].join('\n\n');
    console.log(table);
    if (options.write === 'yes') {
      mkdirSync(RESULTS, { recursive: true });
      writeFileSync(new URL('cluster.md', RESULTS), `${table}\n`);
    }
  } finally {
    await Promise.all([nodes.single, ...nodes.nodes].map((server) => server.stop()));
  }
} finally {
  await Promise.all([clients.stop(), engine.stop()]);
}
