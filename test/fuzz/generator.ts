import fc, { type Arbitrary } from 'fast-check';
import type { Blueprint } from './blueprint.js';
import { logins } from './login-steps.js';
import { mcp2025 } from './mcp-2025.js';
import { mcp2026 } from './mcp-2026.js';
import { oddRequests } from './odd-requests.js';
import { pages } from './pages.js';

/** Requests are made in batches, for then they take less time. */
const BATCH = 1000;

const anyRequest: Arbitrary<Blueprint> = fc.oneof(
  { weight: 7, arbitrary: mcp2025 },
  { weight: 7, arbitrary: mcp2026 },
  { weight: 5, arbitrary: logins },
  { weight: 2, arbitrary: pages },
  { weight: 2, arbitrary: oddRequests },
);

/** Makes the requests of a seed. The request of a number is the same whichever were made before. */
export class Generator {
  readonly #seed: number;
  #batch: readonly Blueprint[] = [];
  #batchNumber = -1;

  /** @param seed a 32-bit integer */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** @param number counts from 0 */
  request(number: number): Blueprint {
    const batchNumber = Math.floor(number / BATCH);
    if (batchNumber !== this.#batchNumber) {
      this.#batch = fc.sample(anyRequest, { seed: seedOf(this.#seed, batchNumber), numRuns: BATCH });
      this.#batchNumber = batchNumber;
    }
    const request = this.#batch[number % BATCH];
    if (!request) throw new RangeError(`There is no request ${number}.`);
    return request;
  }
}

/** Seeds that lie side by side must not share batches. */
function seedOf(seed: number, batchNumber: number): number {
  return Math.imul(seed ^ Math.imul(batchNumber + 1, 0x9e3779b1), 0x85ebca6b) | 0;
}
