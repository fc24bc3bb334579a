/**
 * Measures single operations of the library with mitata, in this process: `npm run bench:micro`. Each has ten thousand
 * logged-in sessions to choose from, and takes another one each time.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { bench, run } from 'mitata';
import { builtModule, z } from './library.js';
import { echoRequest, isEchoed } from './load/echo-requests.js';
import { onlyOption, parseOptions } from './options.js';
import { pin, prioritize } from './processors.js';
import { describeProcess } from './report/machine.js';
import { markdownTable } from './report/markdown.js';
import { short, whole } from './report/statistics.js';
import { addHandle, PROVIDER, TOKEN_CHARACTERS } from './servers/logged-in-sessions.js';
import { PRIORITY, SERVER_PROCESSOR } from './servers/running-server.js';
import { ECHO, ECHO_DESCRIPTION } from './servers/serve.js';

/** Seen from `bench/dist/bench`. */
const RESULTS = new URL('../../results/', import.meta.url);
const SESSIONS = 10_000;
const ACCEPTS_JSON = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
const HOUR_MS = 3600 * 1000;
/** What cannot be measured here, and why. */
const ABSENT = ['wake: connections of the 2025 revisions do not sleep'];

const { composeServer } = await builtModule('server/create-sessions');
const { createMapPorts } = await builtModule('store/ports');
const { systemClock } = await builtModule('time/clock');
const { systemRandom } = await builtModule('vault/random');
const { RefreshClaim } = await builtModule('account/refresh/refresh-claim');

const { only } = parseOptions(process.argv.slice(2), { only: onlyOption });
pin(process.pid, SERVER_PROCESSOR);
prioritize(process.pid, PRIORITY);

const { parts, endpoint } = composeServer(createMapPorts, {
  server: { name: 'bench', version: '1.0.0' },
  providers: { name: PROVIDER, issuer: 'http://127.0.0.1:9', clientId: 'bench', scopes: ['profile'] },
  limits: { maxSessions: SESSIONS + 1 },
  tools: (server, { requireLogin }) => {
    const echo = ({ text }: { text: string }) => ({ content: [{ type: 'text' as const, text }] });
    const config = { description: ECHO_DESCRIPTION, inputSchema: z.object({ text: z.string() }) };
    server.registerTool(ECHO, config, requireLogin(echo));
  },
});
const { vault, registry, deadlines } = parts;
const sessions: Awaited<ReturnType<typeof addHandle>>[] = [];
while (sessions.length < SESSIONS) sessions.push(await addHandle(parts));

let turn = 0;
/** A step that has no divisor in common with the number of sessions, so that all come, and none is in a cache. */
const STEP = 7919;
function nextSession(): (typeof sessions)[number] {
  turn = (turn + STEP) % SESSIONS;
  const session = sessions[turn];
  if (!session) throw new Error('There is no such session.');
  return session;
}

const tokens = Buffer.alloc(2 * TOKEN_CHARACTERS, 'x');
const [first] = sessions;
if (!first) throw new Error('There are no sessions.');
const context = {
  sessionRef: first.record.ref,
  owner: first.record.owner,
  provider: PROVIDER,
  generation: 1,
};
const sealed = vault.seal(Buffer.from(tokens), context);
const claims = {
  registry,
  clock: systemClock,
  wallNow: Date.now,
  random: systemRandom,
  onError(error: unknown) {
    throw error;
  },
};

/** A call as HTTP hands it on, with its parsed body. */
function nextCall() {
  turn = (turn + STEP) % SESSIONS;
  const { headers, body, text } = echoRequest('2026', ECHO, sessions[turn]?.id, turn);
  const init = { method: 'POST', headers: { ...headers, ...ACCEPTS_JSON } };
  return {
    body: JSON.parse(body) as unknown,
    headers: new Headers(init.headers),
    get request() {
      return new Request('http://127.0.0.1:9/mcp', init);
    },
    origin: 'local' as const,
    clientKey: undefined,
    principal: undefined,
    closeConnection: undefined,
    isDisconnected: false,
    onDisconnect: () => undefined,
    text,
  };
}

const OPERATIONS: Readonly<Record<string, () => unknown>> = {
  'seal 2 KiB of tokens': () => vault.seal(Buffer.from(tokens), context),
  'open 2 KiB of tokens': () => vault.open(sealed, context),
  'resolve a handle': async () => {
    const { state } = await registry.resolve('handle', nextSession().id);
    if (state !== 'live') throw new Error('A handle did not resolve.');
  },
  'touch a session': () => registry.touch(nextSession().record.ref),
  'claim a refresh and release it': async () => {
    const { ref, generation } = nextSession().record;
    const claim = new RefreshClaim(claims, { ref, provider: PROVIDER, generation });
    const { kind } = await claim.take();
    if (kind !== 'claimed') throw new Error(`A claim failed: ${kind}.`);
    await claim.release();
  },
  'dispatch a call directly': async () => {
    const call = nextCall();
    const answer = await endpoint.direct(call)?.();
    if (!answer || answer instanceof Response || !isEchoed(200, answer.json ?? '', call.text))
      throw new Error('A call was not dispatched directly.');
  },
  'dispatch a call by the SDK': async () => {
    const call = nextCall();
    const response = await endpoint.handle(call);
    if (!isEchoed(response.status, await response.text(), call.text)) throw new Error('A call failed.');
  },
  'set a deadline and cancel it': () => deadlines.at(systemClock.now() + HOUR_MS, ignore).cancel(),
};

for (const [name, operation] of Object.entries(OPERATIONS)) {
  if (only.length > 0 && !only.some((part) => name.includes(part))) continue;
  bench(name, operation).gc('once');
}
const { benchmarks } = await run({ format: 'quiet', throw: true });
const rows = benchmarks.flatMap(({ alias, runs }) =>
  runs.map(({ stats }) => {
    if (!stats) throw new Error(`${alias} has no figures.`);
    const heap = stats.heap ? whole(stats.heap.avg) : '–';
    return [alias, ...[stats.avg, stats.p50, stats.p99].map((ns) => short(ns / 1000)), heap];
  }),
);

const table = [
  '# Single operations',
  `Each with ${whole(SESSIONS)} logged-in sessions.\n${describeProcess()}`,
  markdownTable([['', 'mean µs', 'p50 µs', 'p99 µs', 'heap B'], ...rows]),
  `Not measured:\n\n${ABSENT.map((each) => `- ${each}`).join('\n')}`,
].join('\n\n');
console.log(table);
if (only.length === 0) {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(new URL('micro.md', RESULTS), `${table}\n`);
}
process.exit();

function ignore(): void {
  throw new Error('This deadline was cancelled.');
}
