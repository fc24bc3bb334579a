// Before the modules that make a registry.
import './finalizers.js';
import { createHash } from 'node:crypto';
import { SeededRandom } from '../support/seeded-random.js';
import type { Violation } from './ledger.js';
import { LONGEST_RETRY_AFTER_SECONDS } from './outages.js';
import { type Pauses, Scenario } from './scenario.js';
import { type PlantedParts, World, type WorldFaults } from './world.js';

/** The result of one seed. */
export interface Report {
  readonly seed: number;
  readonly sessions: number;
  readonly steps: number;
  readonly events: number;
  /** A digest of all events: the same seed has the same digest. */
  readonly trace: string;
  readonly violation: Violation | undefined;
  /** The step at which it was seen. */
  readonly violatedAtStep: number | undefined;
}

export interface SimulationOptions {
  /** The number of nodes that share the sessions. Default: 1. */
  readonly nodes?: number;
  /** What they share: stores behind a network, or Redis with its faults. Default: stores. */
  readonly engine?: 'stores' | 'redis';
}

const HOUR_MS = 60 * 60_000;

/** The steps between two inspections of all sealed tokens, with many sessions. */
const STEPS_PER_INSPECTION = 50;

/**
 * The time after its last fault in which a provider may get no request: the longest `Retry-After` that it sent, half
 * a minute of the breaker, and a quarter of an hour between two refreshes that it refuses.
 */
const RECOVERY_MS = (LONGEST_RETRY_AFTER_SECONDS + 30 + 15 * 60) * 1000;

/** Simulates the sessions of one seed, up to the first violation. */
export async function simulate(
  seed: number,
  planted: PlantedParts = {},
  { nodes = 1, engine = 'stores' }: SimulationOptions = {},
): Promise<Report> {
  const shape = engine === 'redis' ? shapeOfRedis(seed) : shapeOf(seed);
  const world = new World(seed, { faults: shape.faults, nodes, engine }, planted);
  const scenario = new Scenario(world, shape.clients, shape.pauses);
  const { violations } = world.ledger;
  const isLarge = shape.clients > 20;

  for (let step = 0; step < shape.steps && violations.length === 0; step++) {
    await scenario.step();
    if (!isLarge || step % STEPS_PER_INSPECTION === 0) world.inspectRecords();
    world.inspectRequests();
    if (step === shape.shutdownAtStep) scenario.shutDown();
    if (step === shape.rushAtStep) await scenario.rush();
    if (step === shape.restAtStep) {
      await scenario.settle();
      if (shape.faults.storeLosses === 0) world.inspectRest();
    }
  }
  const violatedAtStep = violations.length > 0 ? scenario.steps : undefined;
  if (violations.length === 0) await finish(world, scenario, shape);
  const { events } = world;
  const trace = createHash('sha256').update(JSON.stringify(events)).digest('hex').slice(0, 12);
  return {
    seed,
    sessions: events.filter(({ type }) => type === 'session.started').length,
    steps: scenario.steps,
    events: events.length,
    trace,
    violation: violations[0],
    violatedAtStep,
  };
}

async function finish(world: World, scenario: Scenario, { afterMs, stopsNodes }: Shape): Promise<void> {
  world.calmDown();
  await world.clock.advance(RECOVERY_MS);
  world.inspectFreshness();
  await scenario.settle();
  scenario.shutDown();
  await scenario.settle();
  // The polls of nodes would take most of the time.
  if (stopsNodes) world.stopNodes();
  await world.clock.advance(afterMs);
  world.inspectEnd();
}

interface Shape {
  readonly clients: number;
  readonly steps: number;
  readonly shutdownAtStep: number | undefined;
  readonly restAtStep: number;
  readonly rushAtStep: number | undefined;
  readonly faults: WorldFaults;
  readonly pauses: Pauses;
  /** What passes after the last session. */
  readonly afterMs: number;
  /** Whether nodes are stopped then. */
  readonly stopsNodes: boolean;
}

/** Two to twenty clients in most seeds, hundreds in one of fifty. */
function shapeOf(seed: number): Shape {
  const random = new SeededRandom(seed ^ 0x5bd1e995);
  const isLarge = random.chance(0.02);
  const clients = isLarge ? 100 + random.below(200) : 2 + random.below(19);
  const steps = clients * (10 + random.below(20));
  return {
    clients,
    steps,
    shutdownAtStep: random.chance(0.2) ? random.below(steps) : undefined,
    restAtStep: random.below(steps),
    pauses: { rareMs: 2 * HOUR_MS, usualMs: HOUR_MS / 6 },
    afterMs: HOUR_MS,
    stopsNodes: false,
    rushAtStep: isLarge || random.chance(0.3) ? random.below(steps) : undefined,
    faults: {
      storeDelayMs: random.pick([0, 5, 50, 400]),
      storeLosses: random.pick([0, 0, 0.02]),
      apiRefusals: random.pick([0, 0.05]),
      refusals: random.pick([0, 0.1, 0.4]),
      nonconformances: random.pick([0, 0.1, 0.6]),
      delays: random.pick([0, 0.05]),
      revocations: random.pick([0, 0.05]),
      longestUptimeMs: random.pick([Number.POSITIVE_INFINITY, 20 * 60 * 1000]),
      maxSessions: random.pick([1000, 1000, Math.max(3, Math.floor(clients / 2))]),
    },
  };
}

/**
 * Few clients, and minutes instead of hours: nodes look at what is due twice a second. The reasons of ends are kept for
 * ten minutes.
 */
function shapeOfRedis(seed: number): Shape {
  const random = new SeededRandom(seed ^ 0x2545f491);
  const clients = 2 + random.below(7);
  const steps = clients * (10 + random.below(20));
  return {
    ...shapeOf(seed),
    clients,
    steps,
    shutdownAtStep: random.chance(0.2) ? random.below(steps) : undefined,
    restAtStep: random.below(steps),
    rushAtStep: random.chance(0.3) ? random.below(steps) : undefined,
    pauses: { rareMs: HOUR_MS / 6, usualMs: HOUR_MS / 36 },
    afterMs: HOUR_MS / 4,
    stopsNodes: true,
    faults: {
      ...shapeOf(seed).faults,
      storeDelayMs: random.pick([1, 5, 50, 400]),
      storeLosses: random.pick([0, 0.005, 0.03]),
      maxSessions: random.pick([1000, 1000, Math.max(3, Math.floor(clients / 2))]),
    },
  };
}
