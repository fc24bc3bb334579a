/**
 * Whether any request can make the server fail: `npm run fuzz [-- --requests N] [--seed S] [--only K]`.
 *
 * Requests of both eras, of browsers and of nobody in their right mind go to a server in which twenty users are
 * logged in. The same seed makes the same requests; what the server gives out, and which of 32 requests under way
 * is the quicker, is new every time. With `--only K` the requests that lead up to K are sent one after the other.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { Expectation } from '../soak/expectation.js';
import { MEMBERS_PER_ERA } from './blueprint.js';
import { FuzzedServer } from './fuzzed-server.js';
import { type Finding, Fuzzer } from './fuzzer.js';
import { Members } from './members.js';

const MEMBERS = 2 * MEMBERS_PER_ERA;
/** What is sent before a request that is sent anew: so that there are throw-away sessions and logins for it. */
const LEAD = 3000;
/** In so many steps so much time passes at the end of a stretch: more than anything lives that nobody hears of. */
const PAUSES = 5;
const PAUSE_MS = 10 * 60 * 1000;
/** Compilers and caches weigh something too. Something left behind by every request would weigh more. */
const MAX_GROWTH = 1.15;
const MIN_PASSED = 0.5;
const MIN_SUCCESSFUL = 0.2;

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: `${randomInt(2 ** 31)}` },
    only: { type: 'string' },
  },
});
const seed = Number(values.seed);

const server = await FuzzedServer.start(seed);
try {
  const members = await Members.logIn(server.origin);
  const fuzzer = new Fuzzer({ origin: server.origin, seed, secrets: members.secrets });
  const found =
    values.only === undefined ? await fuzz(fuzzer, members) : await repeat(fuzzer, Number(values.only));
  fuzzer.close();
  if (found) report(found);
} finally {
  await server.stop();
}

async function fuzz(fuzzer: Fuzzer, members: Members): Promise<Finding | undefined> {
  const requests = Number(values.requests);
  const half = Math.floor(requests / 2);
  const startedAtMs = performance.now();
  const inTheMiddle = await stretch(fuzzer, members, 0, half);
  if (typeof inTheMiddle !== 'number') return inTheMiddle;
  const atTheEnd = await stretch(fuzzer, members, half, requests);
  if (typeof atTheEnd !== 'number') return atTheEnd;
  const seconds = (performance.now() - startedAtMs) / 1000;

  const { histogram, depth } = fuzzer;
  console.log(`How ${requests} requests were answered (seed ${seed}):\n\n${histogram}\n`);
  console.log(`${Math.round(seconds)} seconds, ${Math.round(requests / seconds)} requests a second`);
  console.log(
    `passed the guards: ${percent(histogram.passedShare)}, answered 2xx: ${percent(histogram.successfulShare)}`,
  );
  console.log(depth.toString());
  console.log(`heap and external: ${mib(inTheMiddle)} in the middle, ${mib(atTheEnd)} at the end`);
  const unwell = await members.unwell();
  const { lives, errors } = await server.settle(MEMBERS);
  judge([
    [`passed the guards: at least ${percent(MIN_PASSED)}`, histogram.passedShare >= MIN_PASSED],
    [`answered 2xx: at least ${percent(MIN_SUCCESSFUL)}`, histogram.successfulShare >= MIN_SUCCESSFUL],
    [`gets deep enough into logins (not so: ${depth.missing.join(', ')})`, depth.missing.length === 0],
    [`memory grows by no more than ${percent(MAX_GROWTH - 1)}`, atTheEnd <= MAX_GROWTH * inTheMiddle],
    [`every member sees their own notes (not so: ${unwell})`, unwell.length === 0],
    [`${MEMBERS} sessions are left: ${lives.join('; ')}`, lives.length === MEMBERS],
    [`the server logs no error: ${errors.slice(0, 5).join('')}`, errors.length === 0],
  ]);
  return undefined;
}

/** @returns how much the server holds when what was started is over. */
async function stretch(
  fuzzer: Fuzzer,
  members: Members,
  from: number,
  to: number,
): Promise<number | Finding> {
  const found = (await fuzzer.run(from, to)) ?? (await fuzzer.cleanUp());
  if (found) return found;
  await endTheRest(members);
  await server.settle(MEMBERS);
  return server.heldBytes();
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
  console.log(`\nfuzz failed: seed ${seed}, request ${number ?? '(clean-up)'}, ${request.kind}: ${rule}`);
  if (number !== undefined) console.log(`Again: npm run fuzz -- --seed ${seed} --only ${number}`);
  process.exitCode = 1;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
