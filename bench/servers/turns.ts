import { setImmediate } from 'node:timers/promises';

/** The longest turn of an event loop. */
export interface LongestTurn {
  /** In milliseconds, with the time in which the process waited for a processor. */
  readonly wallMs: number;
  /** The most CPU time that the process had in one turn, at most the length of the turn. */
  readonly cpuMs: number;
}

/**
 * Watches each turn of the event loop of this process, which is never idle meanwhile. A timer that is late cannot tell
 * a process that does too much at once from one that waits for its processor.
 */
export class Turns {
  #isOver = false;
  readonly #longest: Promise<LongestTurn> = this.#watch();

  /** Ends. @returns the longest turn since the construction */
  end(): Promise<LongestTurn> {
    this.#isOver = true;
    return this.#longest;
  }

  async #watch(): Promise<LongestTurn> {
    let [wallMs, cpuMs] = [0, 0];
    await setImmediate();
    let startedMs = performance.now();
    let startedCpuMs = cpuTimeMs();
    while (!this.#isOver) {
      await setImmediate();
      const [nowMs, nowCpuMs] = [performance.now(), cpuTimeMs()];
      wallMs = Math.max(wallMs, nowMs - startedMs);
      cpuMs = Math.max(cpuMs, Math.min(nowCpuMs - startedCpuMs, nowMs - startedMs));
      [startedMs, startedCpuMs] = [nowMs, nowCpuMs];
    }
    return { wallMs, cpuMs };
  }
}

function cpuTimeMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
