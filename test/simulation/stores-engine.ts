import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import type { SessionStore } from '../../packages/sessions/src/session/session-store.js';
import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { ModelledEngine, type ModelledEngineOptions } from '../support/modelled-engine.js';
import type { NodeClock } from '../support/node-clock.js';
import type { EngineObserver, JoinedNode, SharedEngine } from './shared-engine.js';

export interface StoresEngineOptions
  extends Pick<
    ModelledEngineOptions,
    'clock' | 'random' | 'delayMs' | 'losses' | 'copies' | 'createDeadlines'
  > {
  readonly observer: EngineObserver;
  readonly wrapStore: (store: SessionStore, clock: VirtualClock) => SessionStore;
}

/** The stores of one process, which several nodes share over a network. */
export class StoresEngine implements SharedEngine {
  readonly records = new Map<SessionRef, SessionRecord>();
  readonly #observer: EngineObserver;
  readonly #engine: ModelledEngine;

  constructor({ observer, wrapStore, ...options }: StoresEngineOptions) {
    this.#observer = observer;
    this.#engine = new ModelledEngine({
      ...options,
      records: this.records,
      onRejected: (method, [ref]) => {
        // The argument of `take` is a reference.
        if (method === 'take') observer.removedPerhaps(ref as SessionRef);
      },
      wrap: (stores) => ({ ...stores, sessions: wrapStore(this.#observed(stores.sessions), options.clock) }),
    });
  }

  get travelling(): number {
    return this.#engine.travelling;
  }

  join(node: NodeClock): JoinedNode {
    return {
      clock: node,
      createPorts: ({ isPresent }) => this.#engine.portsOf(node, isPresent),
      followsOthers: false,
    };
  }

  calmDown(): void {
    this.#engine.isCalm = true;
  }

  disturb(): void {
    // Only messages are lost.
  }

  contradiction(): undefined {
    // The contract suites of the stores look at what they keep.
    return undefined;
  }

  leftovers(): Readonly<Record<string, number>> {
    return { sessions: this.records.size, deadlines: this.#engine.deadlines.size };
  }

  #observed(store: SessionStore): SessionStore {
    const [insert, replace] = [store.insert.bind(store), store.replace.bind(store)];
    store.insert = (...given) => {
      const sizeBefore = this.records.size;
      const insertion = insert(...given);
      this.#observer.inserted(sizeBefore);
      return insertion;
    };
    store.replace = (next, ifVersion) => {
      const replaced = this.#observer.replacing(next, ifVersion);
      const isReplaced = replace(next, ifVersion);
      if (this.records.get(next.ref)?.version === next.version) replaced();
      return isReplaced;
    };
    return store;
  }
}
