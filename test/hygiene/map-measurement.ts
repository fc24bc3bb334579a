import { z } from 'zod';
import { Browser } from '../support/browser.js';
import { WorkerProcess } from '../support/worker-process.js';
import { countInHeapSnapshot, lookIntoMemory } from './measurement.js';
import { type Counts, spellingsOf, Traces } from './traces.js';
import type { Upstream } from './upstream.js';

/** The secrets in the memory of a server that keeps the tokens in a plain `Map`. */
export interface MapMeasurement {
  readonly inSnapshot: Counts<'tokens'>;
  readonly idle: Counts<'tokens'>;
  readonly signedOut: Counts<'tokens'>;
}

/** @param issued returns all tokens that the provider has issued */
export async function measureMap(
  upstream: Upstream,
  logins: number,
  issued: () => Promise<readonly string[]>,
): Promise<MapMeasurement> {
  const child = new WorkerProcess(new URL('./map-child.js', import.meta.url));
  try {
    const origin = await child.ask('start', upstream, z.string());
    const before = await issued();
    for (let user = 0; user < logins; user++) {
      const browser = new Browser();
      const loginPage = await browser.open(`${origin}/login`);
      const page = await browser.submit(loginPage, { username: `user-${user}`, password: 'any' });
      if (page.status !== 200) throw new Error(`Not logged in: ${page.status} ${page.text}`);
    }
    const tokens = (await issued()).slice(before.length);
    const traces = new Traces({ tokens: tokens.map(spellingsOf) });
    const countInMemory = () => lookIntoMemory(child, traces, (found) => traces.count(found));
    const idle = await countInMemory();
    const inSnapshot = await countInHeapSnapshot(child, traces);
    await child.ask('signOut');
    const signedOut = await countInMemory();
    return { inSnapshot, idle, signedOut };
  } finally {
    await child.kill();
  }
}
