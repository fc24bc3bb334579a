import { SessionError } from '../../packages/sessions/src/index.js';
import { QUIRKS, type QuirkName } from '../../packages/sessions/src/testing/index.js';
import { ROWS } from '../e2e/provider-rows.js';
import { SeededRandom } from '../support/seeded-random.js';
import { Course, type CourseOptions, type PlantedFault } from './course.js';

/** How a walk ended. */
export interface Walk {
  readonly quirks: readonly QuirkName[];
  readonly logins: number;
  readonly refreshes: number;
  /** The invariant that was violated, and in which step. */
  readonly violation: string | undefined;
}

const MAX_QUIRKS = 4;
const NAMES = Object.keys(QUIRKS) as QuirkName[];
/** Quirks with which no login succeeds. Rows with options of their own fail for these. */
const FAILING = new Set(
  ROWS.filter(({ plays, options }) => plays === 'login fails' && !options).flatMap(({ quirks }) => quirks),
);
const WORKING = NAMES.filter((name) => !FAILING.has(name));

/** Clients at a provider with random quirks, whose users and faults act at random. */
export async function walk(seed: number, plant: PlantedFault = {}): Promise<Walk> {
  const random = new SeededRandom(seed);
  const pool = random.chance(0.9) ? WORKING : NAMES;
  const quirks = Array.from({ length: random.below(MAX_QUIRKS + 1) }, () => random.pick(pool));
  const withoutSettings = random.chance(0.15);
  const course = start({ random, quirks: [...new Set(quirks)], withoutSettings, plant });
  if (!course) return { quirks, logins: 0, refreshes: 0, violation: undefined };
  const violation = await course.run();
  const { logins, refreshes } = course.ledger;
  const about = `seed ${seed}, quirks ${quirks.join(', ')}${withoutSettings ? ', without settings' : ''}`;
  return { quirks, logins, refreshes, violation: violation && `${about}, ${violation}` };
}

/** @returns undefined if the server refuses the options */
function start(options: CourseOptions): Course | undefined {
  try {
    return new Course(options);
  } catch (error) {
    if (error instanceof SessionError && error.code === 'configuration') return undefined;
    throw error;
  }
}
