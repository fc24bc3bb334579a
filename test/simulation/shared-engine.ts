import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import type { CreatePorts } from '../../packages/sessions/src/store/ports.js';
import type { Clock } from '../../packages/sessions/src/time/clock.js';
import type { NodeClock } from '../support/node-clock.js';

/** What nodes share. */
export interface SharedEngine {
  /** The sessions as they are now. */
  readonly records: ReadonlyMap<SessionRef, SessionRecord>;
  /** The number of calls and answers in transit that a node waits for. */
  readonly travelling: number;
  join(node: NodeClock): JoinedNode;
  /** From now on no message is lost, and the engine has no faults. */
  calmDown(): void;
  /** Causes a fault of the engine, rarely. */
  disturb(): void;
  /** What its data contradict themselves in; `undefined`: nothing. */
  contradiction(): string | undefined;
  /** How many things of each kind there are. At the end there are none. */
  leftovers(): Readonly<Record<string, number>>;
}

/** One more node of an engine. */
export interface JoinedNode {
  /** The time of the engine, as the node knows it. */
  readonly clock: Clock;
  readonly createPorts: CreatePorts;
  /** Whether the node tells others of its changes, and follows theirs. */
  readonly followsOthers: boolean;
}

/** Sees what happens in an engine at the moment at which it happens. */
export interface EngineObserver {
  /** @param sizeBefore the number of sessions without the new one, and with those that it may have replaced */
  inserted(sizeBefore: number): void;
  /** @returns a function to call if the session was replaced */
  replacing(next: SessionRecord, ifVersion: number): () => void;
  /** A node does not know whether it has removed a session. */
  removedPerhaps(ref: SessionRef): void;
  /** A command took effect after its caller had given up. */
  tookEffectLate(command: string): void;
  /** The engine has lost answers, or its newest writes, which were about these sessions. */
  lost(refs: ReadonlySet<SessionRef>): void;
}
