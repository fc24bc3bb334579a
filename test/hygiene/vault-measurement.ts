import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { Browser } from '../support/browser.js';
import { connect2025, logIn } from '../support/raw-mcp.js';
import { AskedProcess } from './asked-process.js';
import { countInHeapSnapshot, countInMemory } from './measurement.js';
import { Needles } from './needles.js';
import { ProcessMemory } from './process-memory.js';
import { ReplayableRandom, replay } from './replayable-random.js';
import { controlKeys, type Seal, Seals } from './seals.js';
import { type Counts, halvesOf, spellingsOf, Traces } from './traces.js';
import type { Upstream } from './upstream.js';

type VaultKind = 'tokens' | 'sessionKeys' | 'controlKeys' | 'salts';

/** What was found of a server whose users logged in, kept still, and logged out. */
export interface VaultMeasurement {
  readonly inSnapshot: Counts<VaultKind>;
  readonly idle: Counts<VaultKind>;
  readonly signedOut: Counts<VaultKind>;
  /** How many records the computed keys open, in the memory of the server. */
  readonly opened: { readonly idle: number; readonly signedOut: number };
}

/** @param issued tells every token that the provider has issued so far */
export async function measureVault(
  upstream: Upstream,
  sessions: number,
  issued: () => Promise<readonly string[]>,
): Promise<VaultMeasurement> {
  const seed = randomUUID();
  const controlSeed = randomUUID();
  const child = new AskedProcess(new URL('./vault-child.js', import.meta.url));
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
    });

    const idle = await countInMemory(child, traces);
    const openedIdle = await countOpened(child, seals, tokens);
    const inSnapshot = await countInHeapSnapshot(child, traces);
    for (const client of clients) {
      const { structured, text } = await client.call('logout');
      if (structured.status !== 'logged_out') throw new Error(`Not logged out: ${text}`);
    }
    const signedOut = await countInMemory(child, traces);
    const openedSignedOut = await countOpened(child, seals, tokens);
    return { inSnapshot, idle, signedOut, opened: { idle: openedIdle, signedOut: openedSignedOut } };
  } finally {
    await child.kill();
  }
}

/** Of how many sessions the sealed record is found in memory and opens with the key that was computed for it. */
async function countOpened(child: AskedProcess, seals: Seals, tokens: readonly string[]): Promise<number> {
  const needles = new Needles(seals.all.map(({ iv }) => iv));
  // Two opaque tokens to a session, all of one length.
  const size = Seals.recordBytes(2 * (tokens[0]?.length ?? 0));
  return ProcessMemory.inspect(child.pid, (memory) => {
    const isSealed = (seal: Seal, address: number) => {
      const opened = seals.open(seal, memory.read(address - Seals.bytesBeforeIv, size));
      return opened?.every((token) => tokens.includes(token));
    };
    const found = memory.search(needles);
    return seals.all.filter((seal, index) => found.get(index)?.some((address) => isSealed(seal, address)))
      .length;
  });
}
