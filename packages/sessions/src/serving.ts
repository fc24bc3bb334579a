import { SessionError } from './errors.js';

/** Something that clients or browsers reach a server through. */
export interface Front {
  /** Lets nothing new in from now on. */
  stop(): void;
  /** Closes what is open. */
  close(): Promise<void>;
}

/** What a server is reached through: HTTP, or the stdin and stdout of its process, which have one client. */
export class Serving {
  readonly #fronts: Front[] = [];
  #over: 'HTTP' | 'stdio' | undefined;

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

  through(...fronts: readonly Front[]): void {
    this.#fronts.push(...fronts);
  }

  stop(): void {
    for (const front of this.#fronts) front.stop();
  }

  async close(): Promise<void> {
    await Promise.all(this.#fronts.map((front) => front.close()));
  }
}
