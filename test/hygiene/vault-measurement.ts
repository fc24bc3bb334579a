import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { Browser } from '../support/browser.js';
import { connect2025, logIn } from '../support/raw-mcp.js';
import { WorkerProcess } from '../support/worker-process.js';
import { countInHeapSnapshot, lookIntoMemory } from './measurement.js';
import type { ProcessMemory } from './process-memory.js';
import { ReplayableRandom, replay } from './replayable-random.js';
import { controlKeys, Seals } from './seals.js';
import { type Counts, halvesOf, spellingsOf, Traces } from './traces.js';
import type { Upstream } from './upstream.js';

type VaultKind = 'tokens' | 'sessionKeys' | 'controlKeys' | 'salts' | 'ivs';
/** `sealed`: sealed tokens that the computed key opens. */
type InMemory = Counts<VaultKind> & { readonly sealed: number };

/** The secrets in the memory of a server whose users logged in, were idle, and logged out. */
export interface VaultMeasurement {
  readonly inSnapshot: Counts<VaultKind>;
  readonly idle: InMemory;
  readonly signedOut: InMemory;
}

/** @param issued returns all tokens that the provider has issued */
export async function measureVault(
  upstream: Upstream,
  sessions: number,
  issued: () => Promise<readonly string[]>,
): Promise<VaultMeasurement> {
  const seed = randomUUID();
  const controlSeed = randomUUID();
  const child = new WorkerProcess(new URL('./vault-child.js', import.meta.url));
  try {
    const start = { upstream, seed, controlSeed, controls: sessions };
    const mcp = await child.ask('start', start, z.string());
    const before = await issued();
    const clients: Awaited<ReturnType<typeof connect2025>>[] = [];
    for (let user = 0; user < sessions; user++) {
      clients.push(await logIn(await connect2025(mcp), new Browser(), `user-${user}`));
    }
    const tokens = (await issued()).slice(before.length);
    const draws = replay(seed, await child.ask('draws', undefined, z.array(z.number())));
    const seals = new Seals(
      draws,
      clients.map(({ secret }) => secret),
    );
    const controls = controlKeys(new ReplayableRandom(controlSeed).bytes(32), sessions);
    const traces = new Traces<VaultKind>({
      tokens: tokens.map(spellingsOf),
      sessionKeys: seals.all.map(({ key }) => halvesOf(key)),
      controlKeys: controls.map(halvesOf),
      salts: seals.all.map(({ salt }) => halvesOf(salt)),
      ivs: seals.all.map(({ iv }) => [iv]),
    });
    const look = () =>
      lookIntoMemory(child, traces, (found, memory): InMemory => {
        const candidates = traces.positions(found, 'ivs');
        return { ...traces.count(found), sealed: countSealed(memory, candidates, seals, tokens) };
      });

    const idle = await look();
    const inSnapshot = await countInHeapSnapshot(child, traces);
    for (const client of clients) {
      const { structured, text } = await client.call('logout');
      if (structured.status !== 'logged_out') throw new Error(`Not logged out: ${text}`);
    }
    return { inSnapshot, idle, signedOut: await look() };
  } finally {
    await child.kill();
  }
}

/** The number of sessions whose sealed tokens surround one of the IVs that were found. */
function countSealed(
  memory: ProcessMemory,
  candidates: readonly { readonly thing: number; readonly position: number }[],
  seals: Seals,
  tokens: readonly string[],
): number {
  // Each session has two opaque tokens of the same length.
  const size = Seals.recordBytes(2 * (tokens[0]?.length ?? 0));
  const sealed = candidates.filter(({ thing, position }) => {
    const opened = seals.open(thing, memory.read(position - Seals.bytesBeforeIv, size));
    return opened?.every((token) => tokens.includes(token));
  });
  return new Set(sealed.map(({ thing }) => thing)).size;
}
