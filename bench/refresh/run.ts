/**
 * Measures a server in which a thousand sessions refresh in the same second: `npm run bench:refresh`.
 *
 * Server, clients and provider have a process each. The provider is a stub, so that it uses little of the processor.
 * The library spreads refreshes by a tenth of the window before the expiry, so they come together only if that window
 * is short: the provider gives every login a lifetime of twice the time until one common moment. Tokens with a lifetime
 * of less than two minutes are refreshed at half of it, so all are refreshed around that moment, within a tenth of the
 * time until then. A first wave, which is not measured, synchronizes the logins. In the second, this time is so short
 * that all are due within about a second.
 */
import { z } from 'zod';
import { textTable } from '../../test/hygiene/text-table.js';
import { WorkerProcess } from '../../test/support/worker-process.js';
import { foregroundSchema, type Measurement, upstreamSchema, waveOnServerSchema } from './measurement.js';

const SESSIONS = 1000;
const RUNS = 3;
/** Until the first wave, in which every session has called once, and the measured one. */
const WAVES_IN_MS = [12_000, 16_500];
const MAX_P99_MS = 50;
const MOST_AT_ONCE = 50;

type Row = readonly [name: string, figureOf: (run: Measurement) => number, unit: string];

const ROWS: readonly Row[] = [
  ['event loop delay, p50', ({ wave }) => wave.p50Ms, 'ms'],
  ['event loop delay, p99', ({ wave }) => wave.p99Ms, 'ms'],
  ['event loop delay, longest', ({ wave }) => wave.maxMs, 'ms'],
  ['due within', ({ wave }) => wave.dueWithinMs / 1000, 's'],
  ['until all are fresh', ({ wave }) => wave.tookMs / 1000, 's'],
  ['refreshes', ({ upstream }) => upstream.refreshes, ''],
  ['refresh tokens refused', ({ upstream }) => upstream.refused, ''],
  ['refreshes at once', ({ upstream }) => upstream.mostAtOnce, ''],
  ['calls meanwhile', ({ foreground }) => foreground.calls, ''],
  ['calls failed', ({ foreground }) => foreground.failed, ''],
];

const runs: Measurement[] = [];
for (let run = 0; run < RUNS; run++) runs.push(await measure());

const header = ['', ...runs.map((_, index) => `run ${index + 1}`), 'median'];
const rows = ROWS.map(([name, figureOf, unit]) => {
  const values = runs.map(figureOf);
  return [name, ...[...values, median(values)].map((value) => shown(value, unit))];
});
console.log(`${SESSIONS} sessions refresh in the same second\n\n${textTable([header, ...rows])}\n`);

const failures = runs.flatMap(({ foreground }) => foreground.firstFailure ?? []);
for (const failure of failures) console.log(`A call failed: ${failure}`);
const p99Ms = median(runs.map(({ wave }) => wave.p99Ms));
const expectations: [what: string, holds: boolean][] = [
  [`p99 of the event loop's delay under ${MAX_P99_MS} ms`, p99Ms < MAX_P99_MS],
  ['no call failed', runs.every(({ foreground }) => foreground.calls > 0 && foreground.failed === 0)],
  [`at most ${MOST_AT_ONCE} refreshes at once`, runs.every((run) => run.upstream.mostAtOnce <= MOST_AT_ONCE)],
  [
    'every session refreshed once',
    runs.every(({ upstream }) => upstream.refreshes === SESSIONS && upstream.refused === 0),
  ],
];
const failed = expectations.filter(([, holds]) => !holds).map(([what]) => what);
console.log(failed.length === 0 ? 'bench:refresh: all held' : `bench:refresh failed: ${failed.join('; ')}`);
if (failed.length > 0) process.exitCode = 1;

async function measure(): Promise<Measurement> {
  const provider = new WorkerProcess(new URL('./provider-child.js', import.meta.url));
  const server = new WorkerProcess(new URL('./server-child.js', import.meta.url));
  const clients = new WorkerProcess(new URL('./client-child.js', import.meta.url));
  try {
    const origin = await provider.ask('start', undefined, z.string());
    const mcp = await server.ask('start', { provider: origin, sessions: SESSIONS }, z.string());
    await clients.ask('start', { mcp, sessions: SESSIONS });
    await provider.ask('aim', WAVES_IN_MS);
    await clients.ask('callFromEach');
    // By the calls, and by the first wave.
    await server.ask('refreshed', 2);
    await provider.ask('reset');
    await clients.ask('startCalling');
    const wave = await server.ask('wave', undefined, waveOnServerSchema);
    const foreground = await clients.ask('stopCalling', undefined, foregroundSchema);
    return { wave, upstream: await provider.ask('upstream', undefined, upstreamSchema), foreground };
  } finally {
    await Promise.all([clients.kill(), server.kill(), provider.kill()]);
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function shown(value: number, unit: string): string {
  return unit === '' ? `${value}` : `${value.toFixed(unit === 's' ? 2 : 1)} ${unit}`;
}
