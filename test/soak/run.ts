/**
 * Whether sessions leave anything behind, and what each of them takes: `npm run soak [-- --short]`.
 *
 * First lives of sessions on a virtual clock against a provider that is made up, then a server over HTTP with
 * thousands of logged-in connections.
 */
import { parseArgs } from 'node:util';
import { soakCycles } from './cycles.js';
import type { Expectation } from './expectation.js';
import { type MemoryOptions, soakMemory } from './memory.js';

interface Extent extends MemoryOptions {
  readonly cycles: number;
  /** How much more may be held at the end than after the first tenth. */
  readonly maxGrowthBytes: number;
}

const MIB = 1024 * 1024;

/** A map entry left behind by every cycle would take several times the growth that is allowed. */
const FULL: Extent = {
  cycles: 100_000,
  maxGrowthBytes: MIB,
  counts: [1000, 5000, 10_000],
  maxDeviation: 0.2,
  judgesResident: true,
  maxLeft: 0.1,
};

/**
 * The same in less than a minute. Compilers and caches weigh more in it, so the bounds are wider: growth shows
 * only when whole sessions stay behind.
 */
const SHORT: Extent = {
  cycles: 1100,
  maxGrowthBytes: MIB,
  counts: [100, 500, 1000],
  maxDeviation: 0.35,
  judgesResident: false,
  maxLeft: 0.2,
};

const { values } = parseArgs({ options: { short: { type: 'boolean', default: false } } });
const extent = values.short ? SHORT : FULL;

const expectations: Expectation[] = [
  ...(await soakCycles(extent.cycles, extent.maxGrowthBytes)),
  ...(await soakMemory(extent)),
];
const failed = expectations.filter(([, holds]) => !holds).map(([what]) => what);
console.log(failed.length === 0 ? '\nsoak: all held' : `\nsoak failed: ${failed.join('; ')}`);
if (failed.length > 0) process.exitCode = 1;
