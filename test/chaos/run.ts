/**
 * Breaks servers, engine and network while users log in and call: `npm run chaos [-- --minutes 10 --users 200 --seed N]`.
 *
 * Three servers of the built product share one redis-server behind a load balancer. The provider is oidc-provider:
 * the second use of a refresh token ends its grant. At the end, a ledger says what was lost, and why.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { eventually } from '../support/journal.js';
import { SeededRandom } from '../support/seeded-random.js';
import { ChaosCluster } from './cluster.js';
import { FaultSchedule } from './fault-schedule.js';
import { Ledger } from './ledger.js';
import { startProvider } from './provider.js';
import { findSecrets } from './secret-search.js';
import { User } from './user.js';

const MINUTE_MS = 60_000;
/** Each login is refreshed at half of this. */
const ACCESS_TOKEN_SECONDS = 20;
const PAUSE_MS = 2000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    users: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(randomBytes(4).readUInt32LE()) },
  },
});
const optionsSchema = z.object({
  minutes: z.coerce.number().positive(),
  users: z.coerce.number().int().positive(),
  seed: z.coerce.number().int(),
});
const options = optionsSchema.parse(values);

const random = new SeededRandom(options.seed);
let startedMs = Date.now();
const isOver = () => Date.now() > startedMs + options.minutes * MINUTE_MS;
const log = (line: string) =>
  console.log(`${((Date.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${line}`);

const tokens = `canary${randomBytes(9).toString('hex')}`;
const names = `user${randomBytes(9).toString('hex')}`;
const masterKey = randomBytes(32).toString('base64');
const secrets = new Map([
  [tokens, 'a token'],
  [names, 'the name of a user'],
  [masterKey, 'the master key'],
]);

const folder = await mkdtemp(join(tmpdir(), 'chaos-'));
const ledger = new Ledger();
const provider = await startProvider({ canary: tokens, accessTokenSeconds: ACCESS_TOKEN_SECONDS }, (event) =>
  ledger.token(event),
);
secrets.set(provider.clientSecret, 'the client secret');
const { environment } = provider;
const cluster = await ChaosCluster.start({ folder, environment, masterKey: `a:${masterKey}` });
const mcp = `${cluster.balancer.url}/mcp`;
const users = Array.from({ length: options.users }, (_, index) => {
  const era = index % 2 === 0 ? '2026' : '2025';
  const onSecret = (secret: string) => void secrets.set(secret, 'the id of a connection, or a handle');
  const own = new SeededRandom(random.below(2 ** 32));
  const isListener = index % 4 < 2;
  return new User({
    name: `${names}${index}`,
    era,
    mcp,
    ledger,
    random: own,
    isListener,
    pauseMs: PAUSE_MS,
    onSecret,
  });
});

startedMs = Date.now();
log(`${options.users} users for ${options.minutes} minutes, seed ${options.seed}`);
const schedule = new FaultSchedule({
  cluster,
  ledger,
  random,
  answersBetween: 3 * options.users,
  isOver,
  log,
});
let areFaultsOver = false;
const lives = users.map((user) => user.live(() => areFaultsOver));
await schedule.run();
areFaultsOver = true;
await Promise.all(lives);
log('all faults are over');
await Promise.all(users.map((user) => user.settle()));
await eventually('notifications of all refreshes', async () => ledger.untold.length === 0 || undefined);
for (const user of users) user.close();

await cluster.dumpEngine();
await cluster.stop();
await provider.stop();
for (const found of findSecrets(folder, secrets)) ledger.violated(found);
await rm(folder, { recursive: true });

console.log(`\n${ledger}`);
const { length: violations } = ledger.violations;
console.log(
  violations === 0 ? '\nchaos: all held' : `\nchaos failed: ${violations} violations, seed ${options.seed}`,
);
process.exit(violations === 0 ? 0 : 1);
