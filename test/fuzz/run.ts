/**
 * Whether any request can make the server fail:
 * `npm run fuzz [-- --requests N] [--seed S] [--only K] [--access bearer] [--snapshots FOLDER] [--stretches N]`.
 *
 * Requests of both eras, of browsers and of nobody in their right mind go to a server in which twenty users are
 * logged in. The same seed makes the same requests; what the server gives out, and which of 32 requests under way
 * is the quicker, is new every time. With `--only K` the requests that lead up to K are sent one after the other.
 * With `--snapshots`, what the server holds at the end of each stretch of requests is written to a folder.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { Expectation } from '../soak/expectation.js';
import { TRIP_SLOTS } from './blueprint.js';
import { FuzzedServer, type ServerState } from './fuzzed-server.js';
import { type Finding, Fuzzer } from './fuzzer.js';
import { wideSample } from './generator.js';
import { Hoarders } from './hoarders.js';
import { keptPerClient, MAX_KEPT_BYTES } from './judges.js';
import { Members } from './members.js';

/** What is sent before a request that is sent anew: so that there are throw-away sessions and logins for it. */
const LEAD = 3000;
/** In so many steps so much time passes at the end of a stretch: more than anything lives that nobody hears of. */
const PAUSES = 5;
const PAUSE_MS = 10 * 60 * 1000;
/** Compilers and caches weigh something too. Something left behind by every request would weigh more. */
const MAX_GROWTH = 1.15;
/** So many requests are sent once more, alone, besides so many that are large or have many parts. */
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
/** A mistake that the judges have to find. */
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
    // With access tokens, what is begun in one session is seldom gone on with in another.
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

/** How much more is held at the end than in the middle. */
function growthOf(held: readonly number[]): number {
  const inTheMiddle = held[Math.ceil(held.length / 2) - 1] ?? 0;
  return (held.at(-1) ?? 0) / inTheMiddle;
}

/** Sends requests, and ends what they started. */
async function pass(fuzzer: Fuzzer, from: number, to: number): Promise<Finding | undefined> {
  return (await fuzzer.run(from, to)) ?? (await fuzzer.cleanUp());
}

/** Waits until only the members are left. */
async function settle(members: Members, membersLives: number): Promise<ServerState> {
  await endTheRest(members);
  return server.settle(membersLives);
}

/** How much is kept for each client that wants as much as it can get. */
async function keptByHoarders(): Promise<number> {
  const tokens = server.tokens?.guests.slice(TRIP_SLOTS);
  const hoarders = new Hoarders({ origin: server.origin, seed, tokens });
  try {
    return await keptPerClient(
      HOARDERS,
      (clients) => hoarders.hoard(clients),
      () => server.heldBytes(),
    );
  } finally {
    await hoarders.leave();
  }
}

/** Lets time pass in which only the members are heard of: their sessions live on, everything else is over then. */
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
