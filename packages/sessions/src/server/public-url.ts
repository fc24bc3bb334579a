import { SessionError } from '../errors.js';

/** The URL at which browsers and clients reach this server: configured, or that of the first listener. */
export class PublicUrl {
  #url: URL | undefined;
  #openListener: (() => Promise<URL>) | undefined;

  constructor(configured: URL | undefined) {
    this.#url = configured;
  }

  /** `undefined` until it is known. */
  get known(): URL | undefined {
    return this.#url;
  }

  /** @throws SessionError `configuration` while it is unknown */
  readonly get = (): URL => {
    if (this.#url) return this.#url;
    throw new SessionError('configuration', 'Set `publicUrl`, or call `listen`, which chooses one.');
  };

  /** The URL of a listener, which is used if none is known yet. */
  learn(url: URL): void {
    this.#url ??= url;
  }

  /** Sets what opens a listener once a login needs one. */
  openOnDemand(open: () => Promise<URL>): void {
    this.#openListener = open;
  }

  /** Resolves once browsers can reach this server. */
  async reachable(): Promise<void> {
    this.#url ??= await this.#openListener?.();
  }
}
