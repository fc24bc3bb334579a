/**
 * Measures whether sessions leak memory, and how much each needs: `npm run soak [-- --short]`.
 *
 * First, sessions live and end on a virtual clock with a scripted provider. Then a server over HTTP has thousands of
 * connections with logins.
 */
import { parseArgs } from 'node:util';
import { soakCycles } from './cycles.js';
import type { Expectation } from './expectation.js';
import { type MemoryOptions, soakMemory } from './memory.js';

interface Extent extends MemoryOptions {
  readonly cycles: number;
  /** The allowed growth from the first tenth to the end, in bytes. */
  readonly maxGrowthBytes: number;
}

const MIB = 1024 * 1024;

/** A leaked map entry in each cycle would exceed the allowed growth several times. */
const FULL: Extent = {
  cycles: 100_000,
  maxGrowthBytes: MIB,
  counts: [1000, 5000, 10_000],
  maxDeviation: 0.2,
  checksResidentMemory: true,
  maxLeft: 0.1,
};

/**
 * The same in less than a minute. Compilers and caches have more weight, so the bounds are wider and only leaks of
 * whole sessions exceed them.
 */
const SHORT: Extent = {
  cycles: 1100,
  maxGrowthBytes: MIB,
  counts: [100, 500, 1000],
  maxDeviation: 0.35,
  checksResidentMemory: false,
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
