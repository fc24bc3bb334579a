/**
 * Measures the latency of an honest client with and without attackers: `npm run bench:abuse`, or only the attacks whose
 * names contain a text: `npm run bench:abuse -- subscriptions`. With `--floor`, a bare `node:http` server is attacked.
 *
 * Server, attackers and the honest client have a process each. The server runs on one processor, the others on another,
 * where the attackers run only while the honest client does not: it waits for the server only. It calls a tool over
 * loopback, one call after the other, in short rounds, alternately with and without attack, so that other load of the
 * machine affects both. All requests have made-up addresses, as through a proxy, so that limits per address apply. The
 * goal: under attack, the 99th percentile is at most twice that without. `busy` is the share of a processor that the
 * server uses under attack: if it is far below 100 %, other load of the machine has slowed the attackers down.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { textTable } from '../../test/hygiene/text-table.js';
import { WorkerProcess } from '../../test/support/worker-process.js';
import { connect2025, HttpClient } from '../http-client.js';
import { pin, prioritize, runWhenIdle } from '../processors.js';
import { ATTACKS } from './attacks.js';

/** For each attack: rounds of each kind, how long each is, and the time in which an attack begins, and in which it ends. */
const ROUNDS = 8;
const ROUND_MS = 1000;
const CHANGE_MS = 300;
const PAUSE_MS = 2;
const MOST_RATIO = 2;
const MIB = 1024 * 1024;

interface Measurement {
  readonly attack: string;
  readonly quietMs: readonly number[];
  readonly attackedMs: readonly number[];
  readonly acts: number;
  /** The CPU time of the server in rounds with attack, the calls of the honest client included. */
  readonly cpuMs: number;
  /** The share of a processor that the server uses under attack. */
  readonly busy: number;
  readonly failed: number;
  readonly rssBytes: number;
}

const given = process.argv.slice(2);
const wanted = given.find((text) => !text.startsWith('--')) ?? '';
const child = given.includes('--floor') ? './floor-child.js' : './server-child.js';
const measurements: Measurement[] = [];
pin(process.pid, 1);
prioritize(process.pid, -10);
for (const attack of Object.keys(ATTACKS).filter((name) => name.includes(wanted)))
  measurements.push(await measure(attack));

const header = [
  'attack',
  'acts',
  'CPU for each',
  'busy',
  'p50 quiet',
  'attacked',
  'p99 quiet',
  'attacked',
  'ratio',
  'failed',
  'RSS',
];
const rows = measurements.map((measurement) => [
  measurement.attack,
  `${measurement.acts}`,
  inMs(measurement.cpuMs / measurement.acts),
  `${Math.round(100 * measurement.busy)} %`,
  ...[0.5, 0.99].flatMap((part) => [
    inMs(quantile(measurement.quietMs, part)),
    inMs(quantile(measurement.attackedMs, part)),
  ]),
  ratioOf(measurement).toFixed(2),
  `${measurement.failed}`,
  `${Math.round(measurement.rssBytes / MIB)} MiB`,
]);
console.log('An honest client beside attackers\n');
console.log(`${textTable([header, ...rows])}\n`);

const slow = measurements.filter((measurement) => ratioOf(measurement) > MOST_RATIO);
const failing = measurements.filter(({ failed }) => failed > 0);
for (const { attack } of slow) console.log(`More than ${MOST_RATIO} times as slow: ${attack}`);
for (const { attack } of failing) console.log(`Calls failed: ${attack}`);
const holds = slow.length === 0 && failing.length === 0;
console.log(holds ? 'bench:abuse: all held' : 'bench:abuse failed');
if (!holds) process.exitCode = 1;

async function measure(attack: string): Promise<Measurement> {
  const server = new WorkerProcess(new URL(child, import.meta.url));
  const attackers = new WorkerProcess(new URL('./attacker-child.js', import.meta.url));
  pin(server.pid, 0);
  prioritize(server.pid, -10);
  runWhenIdle(attackers.pid);
  try {
    const mcp = await server.ask('start', undefined, z.string());
    const client = new HttpClient(mcp, '203.0.113.7', 1);
    const headers = await connect2025(client);
    // Until everything is compiled.
    await call(client, headers);
    const quietMs: number[] = [];
    const attackedMs: number[] = [];
    let [acts, cpuMs, attackMs, failed] = [0, 0, 0, 0];
    let rssBytes = 0;
    for (let round = 0; round < ROUNDS; round++) {
      quietMs.push(...(await call(client, headers)).tookMs);
      const [beganMs, beganCpuMs] = [performance.now(), await server.ask('cpuMs', undefined, z.number())];
      await attackers.ask('start', { mcp, attack });
      await sleep(CHANGE_MS);
      const attacked = await call(client, headers);
      attackedMs.push(...attacked.tookMs);
      failed += attacked.failed;
      rssBytes = Math.max(rssBytes, await server.ask('rssBytes', undefined, z.number()));
      acts += await attackers.ask('stop', undefined, z.number());
      cpuMs += (await server.ask('cpuMs', undefined, z.number())) - beganCpuMs;
      attackMs += performance.now() - beganMs;
      await sleep(CHANGE_MS);
    }
    client.close();
    return { attack, quietMs, attackedMs, acts, cpuMs, busy: cpuMs / attackMs, failed, rssBytes };
  } finally {
    await Promise.all([attackers.kill(), server.kill()]);
  }
}

/** Calls for the length of a round. @returns how long each call took, and how many failed */
async function call(
  client: HttpClient,
  headers: Readonly<Record<string, string>>,
): Promise<{ tookMs: number[]; failed: number }> {
  const params = { name: 'work', arguments: { rows: [['a', 'b']] } };
  const tookMs: number[] = [];
  let failed = 0;
  const endMs = performance.now() + ROUND_MS;
  for (let id = 1; performance.now() < endMs; id++) {
    const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params });
    const beganMs = performance.now();
    const { status, text } = await client.post(body, headers);
    tookMs.push(performance.now() - beganMs);
    if (status !== 200 || !text.includes('"text":"1"')) failed++;
    await sleep(PAUSE_MS);
  }
  return { tookMs, failed };
}

function ratioOf({ quietMs, attackedMs }: Measurement): number {
  return quantile(attackedMs, 0.99) / quantile(quietMs, 0.99);
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

function inMs(value: number): string {
  return `${value.toFixed(1)} ms`;
}
