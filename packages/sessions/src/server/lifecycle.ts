import { SessionError } from '../errors.js';

/** Something that clients or browsers reach a server through. */
export interface Listener {
  /** Lets nothing new in from now on. */
  stop(): void;
  /** Closes what is open. */
  close(): Promise<void>;
}

/** What a server is reached through: HTTP, or the stdin and stdout of its process, which have one client. */
export class Lifecycle {
  readonly #fronts: Listener[] = [];
  #over: 'HTTP' | 'stdio' | undefined;
  #isStopped = false;

  /** @throws SessionError `configuration` */
  overHttp(): void {
    if (this.#over === 'stdio') {
      throw new SessionError('configuration', 'This object serves stdio. Create another one for HTTP.');
    }
    this.#over = 'HTTP';
  }

  /** @throws SessionError `configuration` */
  overStdio(): void {
    if (this.#over !== undefined) {
      throw new SessionError(
        'configuration',
        `This object serves ${this.#over} already. Create another one for stdio.`,
      );
    }
    this.#over = 'stdio';
  }

  /**
   * Notes what clients come through from now on. What is ready too late is closed at once.
   * @throws SessionError `configuration`
   */
  async through(...fronts: readonly Listener[]): Promise<void> {
    this.#fronts.push(...fronts);
    if (!this.#isStopped) return;
    for (const front of fronts) front.stop();
    await Promise.all(fronts.map((front) => front.close()));
    throw new SessionError('configuration', 'This object has been closed. Create another one.');
  }

  stop(): void {
    this.#isStopped = true;
    for (const front of this.#fronts) front.stop();
  }

  async close(): Promise<void> {
    await Promise.all(this.#fronts.map((front) => front.close()));
  }
}
