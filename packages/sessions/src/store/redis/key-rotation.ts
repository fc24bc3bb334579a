import { SessionError } from '../../errors.js';
import type { Clock } from '../../time/clock.js';
import { headOf, type KeyRing, keyIdOf } from '../../vault/key-ring.js';
import type { RandomSource } from '../../vault/random.js';
import type { ClusterMarker } from './cluster-marker.js';
import type { Engine } from './engine.js';
import { isAbsent, listOf, textIn } from './replies.js';
import { announceKeys, findOldSeals, leaveKeys, onlyKey, replaceSeal } from './scripts/master-keys.js';
import type { SealedKind } from './sealed-values.js';

/** How long a node counts after it has announced its keys: longer than between two checks, with some failed ones. */
const NODE_MS = 180_000;
/** The time before the end of {@link NODE_MS} at which a node that could not announce its keys stops writing. */
const MARGIN_MS = 30_000;
/** The time after which another node goes on with the work of one that was killed. */
const LEASE_MS = 10_000;
/** The number of records that are looked at in one step of the engine. */
const PART = 100;
/** The pause after each step, in milliseconds. */
const PAUSE_MS = 20;
/** The number of records that are moved between two messages. */
const MESSAGE_EVERY = 10_000;

/** Where the records of a kind are, and what has their names. */
interface RecordPlace {
  readonly key: string;
  readonly field: string;
  readonly names: readonly (readonly [scan: 'SSCAN' | 'ZSCAN', of: string])[];
}

/** The records that master keys seal. The marker is apart: it has no names. Messages are not kept. */
const PLACES: Readonly<Record<Exclude<SealedKind, 'message'>, RecordPlace>> = {
  session: { key: 's:', field: 'r', names: [['SSCAN', 'refs']] },
  attempt: { key: 'a:', field: 'r', names: [['ZSCAN', 'attempts']] },
  'failed-attempt': {
    key: 'a:',
    field: 'm',
    // An attempt goes from the first to the second, never back.
    names: [
      ['ZSCAN', 'attempts'],
      ['ZSCAN', 'attempts:failed'],
    ],
  },
};

export interface KeyRotationOptions {
  readonly ring: KeyRing;
  readonly marker: Pick<ClusterMarker, 'reseal'>;
  readonly random: RandomSource;
  readonly timers: Pick<Clock, 'after'>;
  /** A clock that does not follow the engine, in milliseconds. */
  readonly localNow: () => number;
  readonly report: (level: 'info' | 'warn', message: string) => void;
}

/** Records whose names are in one place. */
interface Records extends Pick<RecordPlace, 'key' | 'field'> {
  readonly kind: SealedKind;
  readonly scan: RecordPlace['names'][number];
}

/** One run through all records. */
interface Run {
  isStopped: boolean;
  moved: number;
  readonly unreadable: Map<string, number>;
}

/**
 * Tells other nodes which master keys this one has, and moves records to the newest when all nodes seal with it. A node
 * writes only while its keys are known: so no record is sealed under a key that another node lacks, or that is not used
 * any more.
 */
export class KeyRotation {
  readonly #options: KeyRotationOptions;
  readonly #node: string;
  #announcedAtMs = Number.NEGATIVE_INFINITY;
  /** The keys under which there may have been records at the last look. */
  #used: readonly string[] = [];
  #awaitsOthers = false;
  #run: Run | undefined;
  #running: Promise<void> | undefined;

  constructor(options: KeyRotationOptions) {
    this.#options = options;
    this.#node = options.random(16).toString('base64url');
  }

  /** Whether other nodes still count with the keys of this one. */
  get isAnnounced(): boolean {
    return this.#options.localNow() - this.#announcedAtMs < NODE_MS - MARGIN_MS;
  }

  /**
   * Tells the keys of this node, at every check. Then {@link move} may be called.
   * @param markerId the id of the key that has sealed the marker
   * @returns whether there are records to move
   * @throws SessionError `configuration` if the keys do not fit those of the engine and of other nodes,
   * `store_unavailable`
   */
  async announce(engine: Engine, markerId: string): Promise<boolean> {
    const { ring, localNow } = this.#options;
    const startedAtMs = localNow();
    const reply = await engine.run(announceKeys, [this.#node, ring.ids.join(' '), markerId, NODE_MS]);
    const [answer, isAgreed, ...used] = listOf(reply);
    const kind = textIn(answer);
    if (kind === 'missing') throw missingKey(textIn(isAgreed), ring);
    if (kind === 'unaccepted') throw unacceptedKey(ring);
    this.#announcedAtMs = startedAtMs;
    this.#note(used.map(textIn), isAgreed === 1);
    return isAgreed === 1 && this.#old.length > 0;
  }

  /** Moves records to the newest key, unless this node or another one does that already. Never rejects. */
  move(engine: Engine): void {
    if (this.#running) return;
    const run: Run = { isStopped: false, moved: 0, unreadable: new Map() };
    this.#run = run;
    this.#running = this.#moveAll(engine, run)
      // The engine was lost. The next check begins again.
      .catch(() => undefined)
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Stops moving: another engine may be behind the next connection, which lacks what was moved. */
  async stop(): Promise<void> {
    if (this.#run) this.#run.isStopped = true;
    await this.#running;
  }

  /** Tells other nodes that this one writes nothing any more. */
  async leave(engine: Engine): Promise<void> {
    await engine.run(leaveKeys, [this.#node]).catch(() => undefined);
  }

  /** The keys besides the newest under which there may be records. */
  get #old(): readonly string[] {
    return this.#used.filter((id) => id !== this.#options.ring.ids[0]);
  }

  #note(used: readonly string[], isAgreed: boolean): void {
    const { ring, report } = this.#options;
    const [newest] = ring.ids;
    const gone = this.#used.filter((id) => id !== newest && !used.includes(id) && ring.ids.includes(id));
    this.#used = used;
    for (const id of gone) {
      report(
        'info',
        `No record is sealed under the master key \`${id}\` any more: it can be removed from all servers.`,
      );
    }
    const awaits = !isAgreed && this.#old.length > 0;
    if (awaits && !this.#awaitsOthers) {
      const message = `Records under the master keys ${quoted(this.#old)} stay as they are until all servers have the same first key. This one has \`${newest}\`.`;
      report('info', message);
    }
    this.#awaitsOthers = awaits;
  }

  async #moveAll(engine: Engine, run: Run): Promise<void> {
    const { ring, marker, report } = this.#options;
    const [newest] = ring.ids;
    const old = quoted(this.#old);
    await marker.reseal(engine);
    for (const [kind, { names, ...place }] of Object.entries(PLACES) as [SealedKind, RecordPlace][])
      for (const scan of names) if (!(await this.#moveThese(engine, run, { kind, scan, ...place }))) return;
    if ((await engine.run(onlyKey, [this.#node, newest, ring.newestHeader])) !== 1) return;
    report(
      'info',
      `${run.moved} records under the master keys ${old} were sealed again under \`${newest}\`.`,
    );
    for (const [id, count] of run.unreadable)
      report('warn', `${count} records under the master key \`${id}\` cannot be opened. They expire.`);
    this.#note([newest], true);
  }

  /** @returns whether all were looked at */
  async #moveThese(engine: Engine, run: Run, records: Records): Promise<boolean> {
    const { ring, timers } = this.#options;
    const { scan, key, field } = records;
    let cursor = '0';
    do {
      const args = [...scan, cursor, PART, ring.newestHeader, key, field];
      const reply = await engine.run(findOldSeals, [this.#node, LEASE_MS, ...args]);
      if (isAbsent(reply)) return false;
      const [next, found] = listOf(reply);
      for (const name of new Set(listOf(found).map(textIn))) {
        if (run.isStopped) return false;
        await this.#moveOne(engine, run, records, name);
      }
      cursor = textIn(next);
      await new Promise<void>((resolve) => {
        timers.after(PAUSE_MS, resolve);
      });
      if (run.isStopped) return false;
    } while (cursor !== '0');
    return true;
  }

  async #moveOne(engine: Engine, run: Run, { kind, key, field }: Records, name: string): Promise<void> {
    const { ring, report } = this.#options;
    const sealed = await engine.read('HGET', `${key}${name}`, field);
    if (!Buffer.isBuffer(sealed) || ring.isNewest(sealed)) return;
    let after: Buffer;
    try {
      after = ring.reseal(sealed, { kind, name });
    } catch {
      const id = keyIdOf(sealed);
      run.unreadable.set(id, (run.unreadable.get(id) ?? 0) + 1);
      return;
    }
    const args = [`${key}${name}`, field, headOf(sealed), after];
    if ((await engine.run(replaceSeal, args)) !== 1) return;
    if (++run.moved % MESSAGE_EVERY === 0)
      report('info', `${run.moved} records were sealed again under \`${ring.ids[0]}\` so far.`);
  }
}

function missingKey(id: string, { ids }: KeyRing): SessionError {
  return new SessionError(
    'configuration',
    `Records of the engine are sealed under the master key \`${id}\`, and \`keys\` has only ${quoted(ids)}. Add it at the end of \`keys\`, until a server has logged that no record is sealed under it any more. If it is lost, use another \`namespace\`: all users log in again.`,
  );
}

function unacceptedKey({ ids }: KeyRing): SessionError {
  return new SessionError(
    'configuration',
    `The master key \`${ids[0]}\` is the first of \`keys\`, and another server does not have it. Add it at the end of \`keys\` of all servers, restart them, and put it first after that. A server that was killed counts for ${NODE_MS / 60_000} minutes.`,
  );
}

function quoted(ids: readonly string[]): string {
  return ids.map((id) => `\`${id}\``).join(', ');
}
