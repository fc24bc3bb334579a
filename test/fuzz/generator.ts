import fc, { type Arbitrary } from 'fast-check';
import type { Access } from './access-tokens.js';
import type { Blueprint } from './blueprint.js';
import { withCredentials } from './credentials.js';
import { logins } from './login-steps.js';
import { mcp2025 } from './mcp-2025.js';
import { mcp2026 } from './mcp-2026.js';
import { pages } from './pages.js';
import { unusualRequests } from './unusual-requests.js';
import { wideRequests } from './wide-requests.js';

/** Requests are generated in batches, which is faster. */
const BATCH = 1000;

const anyRequest: Arbitrary<Blueprint> = fc.oneof(
  { weight: 140, arbitrary: mcp2025 },
  { weight: 140, arbitrary: mcp2026 },
  { weight: 100, arbitrary: logins },
  { weight: 40, arbitrary: pages },
  { weight: 40, arbitrary: unusualRequests },
  // Large requests are slow.
  { weight: 1, arbitrary: wideRequests },
);

const REQUESTS: Readonly<Record<Access, Arbitrary<Blueprint>>> = {
  open: anyRequest,
  bearer: withCredentials(anyRequest),
};

/** Generates the requests of a seed. A request depends on the seed and its number only. */
export class Generator {
  readonly #seed: number;
  readonly #requests: Arbitrary<Blueprint>;
  #batch: readonly Blueprint[] = [];
  #batchNumber = -1;

  /** @param seed a 32-bit integer */
  constructor(seed: number, access: Access = 'open') {
    this.#seed = seed;
    this.#requests = REQUESTS[access];
  }

  /** @param number from 0 */
  request(number: number): Blueprint {
    const batchNumber = Math.floor(number / BATCH);
    if (batchNumber !== this.#batchNumber) {
      this.#batch = fc.sample(this.#requests, { seed: seedOf(this.#seed, batchNumber), numRuns: BATCH });
      this.#batchNumber = batchNumber;
    }
    const request = this.#batch[number % BATCH];
    if (!request) throw new RangeError(`There is no request ${number}.`);
    return request;
  }
}

/** Large requests and requests with many parts, which depend on the seed only. */
export function wideSample(seed: number, count: number, access: Access): readonly Blueprint[] {
  return fc.sample(access === 'open' ? wideRequests : withCredentials(wideRequests), {
    seed,
    numRuns: count,
  });
}

/** Keeps adjacent seeds from sharing batches. */
function seedOf(seed: number, batchNumber: number): number {
  return Math.imul(seed ^ Math.imul(batchNumber + 1, 0x9e3779b1), 0x85ebca6b) | 0;
}
