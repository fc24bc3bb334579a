import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { ModelledEngine, type ModelledEngineOptions } from './modelled-engine.js';
import { NodeClock } from './node-clock.js';
import { SeededRandom } from './seeded-random.js';

type EnginePorts = ReturnType<ModelledEngine['portsOf']>;

/** One node of an engine. */
interface EngineNode {
  readonly clock: NodeClock;
  readonly ports: EnginePorts;
  /** The sessions whose clients are present at this node. */
  readonly present: Set<SessionRef>;
}

/** An engine, and two nodes that share it. */
export interface EngineNodes {
  readonly engine: ModelledEngine;
  readonly clock: VirtualClock;
  readonly records: Map<SessionRef, SessionRecord>;
  readonly nodes: readonly [EngineNode, EngineNode];
}

/** An engine that is late and reorders, unless the options say something else. */
export function engineNodes(seed: number, options: Partial<ModelledEngineOptions> = {}): EngineNodes {
  const clock = new VirtualClock();
  const random = new SeededRandom(seed);
  const records = new Map<SessionRef, SessionRecord>();
  const delayMs = random.pick([0, 20, 200]);
  const engine = new ModelledEngine({ clock, random, delayMs, losses: 0, records, ...options });
  const join = (): EngineNode => {
    const present = new Set<SessionRef>();
    const nodeClock = new NodeClock(clock);
    return { clock: nodeClock, present, ports: engine.portsOf(nodeClock, (ref) => present.has(ref)) };
  };
  return { engine, clock, records, nodes: [join(), join()] };
}
