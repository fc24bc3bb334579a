import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { systemRandom } from '../../packages/sessions/src/vault/random.js';
import { ModelledEngine, type ModelledEngineOptions } from './modelled-engine.js';
import { NodeClock } from './node-clock.js';
import { answerOf } from './port-answers.js';
import { SeededRandom } from './seeded-random.js';
import { SessionBench, type SessionBenchOptions } from './session-bench.js';

/** Two nodes that share the sessions of an engine. Each has a provider of its own, with tokens of its own. */
export interface BenchNodes {
  readonly clock: VirtualClock;
  readonly engine: ModelledEngine;
  readonly nodes: readonly [SessionBench, SessionBench];
  /** Waits for an answer, with the clock going on. */
  readonly answer: <T>(answer: Promise<T>) => Promise<T>;
}

/** @param engineOptions Default: an engine that answers after some milliseconds */
export function benchNodes(
  options: SessionBenchOptions = {},
  engineOptions: Partial<ModelledEngineOptions> = {},
): BenchNodes {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const engine = new ModelledEngine({ clock, random, delayMs: 10, losses: 0, ...engineOptions });
  const keys = new KeyHierarchy(systemRandom(32));
  const join = () => {
    const nodeClock = new NodeClock(clock);
    const createPorts = ({ isPresent }: { readonly isPresent: Parameters<typeof engine.portsOf>[1] }) =>
      engine.portsOf(nodeClock, isPresent);
    return new SessionBench({ ...options, clock, nodeClock, keys, createPorts });
  };
  return { clock, engine, nodes: [join(), join()], answer: (answer) => answerOf(clock, answer) };
}
