/**
 * Measures single operations of the library with mitata, in this process: `npm run bench:micro`. Each has ten thousand
 * logged-in sessions to choose from, and takes another one each time.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { bench, run } from 'mitata';
import { INITIALIZE } from './http-client.js';
import { builtModule, z } from './library.js';
import { type EchoRequest, echoRequest, isEchoed } from './load/echo-requests.js';
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
/** Connections that hibernate, each of which is woken once. */
const CONNECTIONS = 20_000;
const ECHO_WITHOUT_LOGIN = 'echo_without_login';

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
  limits: { maxSessions: SESSIONS + CONNECTIONS + 1, anonymousSessions: CONNECTIONS + 1 },
  tools: (server, { requireLogin }) => {
    const echo = ({ text }: { text: string }) => ({ content: [{ type: 'text' as const, text }] });
    const config = { description: ECHO_DESCRIPTION, inputSchema: z.object({ text: z.string() }) };
    server.registerTool(ECHO, config, requireLogin(echo));
    server.registerTool(ECHO_WITHOUT_LOGIN, config, echo);
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

/** A request as HTTP hands it on, with its parsed body. */
function incoming(headers: Readonly<Record<string, string>>, body: string) {
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
    onDisconnect: () => undefined,
    isDisconnected: false,
  };
}

async function handle({ headers, body, text }: EchoRequest): Promise<void> {
  const response = await endpoint.handle(incoming(headers, body));
  if (!isEchoed(response.status, await response.text(), text)) throw new Error('A call failed.');
}

function nextCall(): EchoRequest {
  turn = (turn + STEP) % SESSIONS;
  return echoRequest('2026', ECHO, sessions[turn]?.id, turn);
}

/** Opens connections, which hibernate from the beginning. @returns their ids */
async function openConnections(count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const { headers } = await endpoint.handle(incoming({}, INITIALIZE));
    ids.push(headers.get('mcp-session-id') ?? '');
  }
  return ids;
}

const isSelected = (name: string) => only.length === 0 || only.some((part) => name.includes(part));
const WAKE = 'wake a connection for a call';
const hibernating = isSelected(WAKE) ? await openConnections(CONNECTIONS) : [];

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
    const { headers, body, text } = nextCall();
    const answer = await endpoint.direct(incoming(headers, body))?.();
    if (!answer || answer instanceof Response || !isEchoed(200, answer.json ?? '', text))
      throw new Error('A call was not dispatched directly.');
  },
  'dispatch a call by the SDK': () => handle(nextCall()),
  [WAKE]: () => {
    const id = hibernating.pop();
    if (id === undefined) throw new Error('All connections have been woken.');
    return handle(echoRequest('2025', ECHO_WITHOUT_LOGIN, id, hibernating.length));
  },
  'set a deadline and cancel it': () => deadlines.at(systemClock.now() + HOUR_MS, ignore).cancel(),
};

for (const [name, operation] of Object.entries(OPERATIONS)) {
  if (isSelected(name)) bench(name, operation).gc('once');
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
