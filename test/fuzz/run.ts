/**
 * Searches for requests that make the server fail:
 * `npm run fuzz [-- --requests N] [--seed S] [--only K] [--access bearer] [--snapshots FOLDER] [--stretches N]`.
 *
 * Valid and malformed requests of clients of both eras and of browsers go to a server on which twenty users are
 * logged in. The same seed generates the same requests. The values that the server issues, and the order of the
 * 32 requests in flight, differ in each run. `--only K` sends the requests before K one after the other.
 * `--snapshots` writes a heap snapshot of the server after each stretch of requests to a folder.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { Expectation } from '../soak/expectation.js';
import { LOGIN_SLOTS } from './blueprint.js';
import { FuzzedServer, type ServerState } from './fuzzed-server.js';
import { type Finding, Fuzzer } from './fuzzer.js';
import { wideSample } from './generator.js';
import { GreedyClients } from './greedy-clients.js';
import { Members } from './members.js';
import { MAX_KEPT_BYTES, memoryPerClient } from './resource-limits.js';

/** Requests before a repeated request, so that it finds temporary sessions and logins. */
const LEAD = 3000;
/** The time that passes at the end of a stretch, and its steps: longer than any unused session lives. */
const PAUSES = 5;
const PAUSE_MS = 10 * 60 * 1000;
/** Compilers and caches need memory, too. A leak in every request would need more. */
const MAX_GROWTH = 1.15;
/** How many requests are repeated on an idle server, and how many large requests are added. */
const ALONE = 200;
const WIDE = 100;
const HOARDERS = 4;
const MIN_PASSED = 0.5;
const MIN_SUCCESSFUL = 0.2;

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: `${randomInt(2 ** 31)}` },
    only: { type: 'string' },
    fault: { type: 'string' },
    access: { type: 'string', default: 'open' },
    stretches: { type: 'string', default: '2' },
    snapshots: { type: 'string' },
  },
});
const seed = Number(values.seed);

const access = z.enum(['open', 'bearer']).parse(values.access);
/** A planted fault that the limits have to detect. */
const fault = z.enum(['cpu', 'memory']).optional().parse(values.fault);

const server = await FuzzedServer.start({ seed, access });
try {
  const members = await Members.logIn(server);
  const { lives } = await server.settle(0, 0);
  const fuzzer = new Fuzzer({ origin: server.origin, seed, secrets: members.secrets, tokens: server.tokens });
  const found =
    values.only === undefined
      ? await fuzz(fuzzer, members, lives.length)
      : await repeat(fuzzer, Number(values.only));
  fuzzer.close();
  if (found) report(found);
} finally {
  await server.stop();
}

async function fuzz(fuzzer: Fuzzer, members: Members, membersLives: number): Promise<Finding | undefined> {
  const requests = Number(values.requests);
  const stretches = Number(values.stretches);
  const startedAtMs = performance.now();
  const held: number[] = [];
  for (let stretch = 0; stretch < stretches; stretch++) {
    const ends = [stretch, stretch + 1].map((part) => Math.floor((requests * part) / stretches));
    const found = await pass(fuzzer, ends[0] ?? 0, ends[1] ?? 0);
    if (!found) await settle(members, membersLives);
    if (found) return found;
    held.push(await server.heldBytes());
    if (values.snapshots) await server.heapSnapshot(join(values.snapshots, `${stretch}.heapsnapshot`));
  }
  const seconds = (performance.now() - startedAtMs) / 1000;

  const { histogram, depth } = fuzzer;
  console.log(`How ${requests} requests were answered (seed ${seed}):\n\n${histogram}\n`);
  console.log(`${Math.round(seconds)} seconds, ${Math.round(requests / seconds)} requests a second`);
  console.log(
    `passed the guards: ${percent(histogram.passedShare)}, answered 2xx: ${percent(histogram.successfulShare)}`,
  );
  console.log(depth.toString());
  console.log(`heap and external after each stretch: ${held.map(mib).join(', ')}`);
  if (fault) await server.plant(fault);
  const dear = await fuzzer.runAlone([...fuzzer.requests(0, ALONE), ...wideSample(seed, WIDE, access)], () =>
    server.cpuMs(),
  );
  if (dear) return dear;
  const kept = await keptByHoarders();
  await fuzzer.cleanUp();
  console.log(
    `the dearest request: ${Math.round(fuzzer.dearest)} ms of CPU; kept for a client: ${mib(kept)}`,
  );
  const { lives, errors } = await settle(members, membersLives);
  const unwell = await members.unwell();
  judge([
    [`passed the guards: at least ${percent(MIN_PASSED)}`, histogram.passedShare >= MIN_PASSED],
    [`answered 2xx: at least ${percent(MIN_SUCCESSFUL)}`, histogram.successfulShare >= MIN_SUCCESSFUL],
    // With access tokens, a login that starts in one session rarely continues in another.
    [
      `gets deep enough into logins (not so: ${depth.missing.join(', ')})`,
      access === 'bearer' || depth.missing.length === 0,
    ],
    [`no client makes the server keep more than ${mib(MAX_KEPT_BYTES)}`, kept <= MAX_KEPT_BYTES],
    [`memory grows by no more than ${percent(MAX_GROWTH - 1)}`, growthOf(held) <= MAX_GROWTH],
    [`every member sees their own notes (not so: ${unwell})`, unwell.length === 0],
    [`${membersLives} sessions are left: ${lives.join('; ')}`, lives.length === membersLives],
    [`the server logs no error: ${errors.slice(0, 5).join('')}`, errors.length === 0],
  ]);
  return undefined;
}

/** The growth of memory from the middle to the end. */
function growthOf(held: readonly number[]): number {
  const inTheMiddle = held[Math.ceil(held.length / 2) - 1] ?? 0;
  return (held.at(-1) ?? 0) / inTheMiddle;
}

/** Sends requests, and ends the sessions that they started. */
async function pass(fuzzer: Fuzzer, from: number, to: number): Promise<Finding | undefined> {
  return (await fuzzer.run(from, to)) ?? (await fuzzer.cleanUp());
}

/** Waits until only the sessions of members are left. */
async function settle(members: Members, membersLives: number): Promise<ServerState> {
  await endTheRest(members);
  return server.settle(membersLives);
}

/** The memory for each client that requests as much as possible. */
async function keptByHoarders(): Promise<number> {
  const tokens = server.tokens?.guests.slice(LOGIN_SLOTS);
  const greedyClients = new GreedyClients({ origin: server.origin, seed, tokens });
  try {
    return await memoryPerClient(
      HOARDERS,
      (clients) => greedyClients.addClients(clients),
      () => server.heldBytes(),
    );
  } finally {
    await greedyClients.leave();
  }
}

/** Advances the time while only the members send requests, so that all other sessions end. */
async function endTheRest(members: Members): Promise<void> {
  for (let pause = 0; pause < PAUSES; pause++) {
    await server.passTime(PAUSE_MS);
    await members.unwell();
  }
}

async function repeat(fuzzer: Fuzzer, number: number): Promise<Finding | undefined> {
  const found = await fuzzer.run(Math.max(0, number - LEAD), number + 1, 1);
  if (!found) console.log(`Request ${number} of seed ${seed} breaks no rule when sent one after the other.`);
  return found;
}

function judge(expectations: readonly Expectation[]): void {
  const failed = expectations.filter(([, holds]) => !holds).map(([what]) => what);
  console.log(
    failed.length === 0 ? '\nfuzz: all held' : `\nfuzz failed (seed ${seed}): ${failed.join('; ')}`,
  );
  if (failed.length > 0) process.exitCode = 1;
}

function report({ number, rule, request, answer }: Finding): void {
  console.log(JSON.stringify({ request, answer }, undefined, 2).slice(0, 8000));
  console.log(`\nfuzz failed: seed ${seed}, request ${number ?? '(sent alone)'}, ${request.kind}: ${rule}`);
  if (number !== undefined) console.log(`Again: npm run fuzz -- --seed ${seed} --only ${number}`);
  process.exitCode = 1;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
