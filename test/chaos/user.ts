import { Browser } from '../support/browser.js';
import type { SeededRandom } from '../support/seeded-random.js';
import type { Era, Ledger } from './ledger.js';
import type { StatusStream } from './status-stream.js';
import { pause, type Reply, type Wire, wire2025, wire2026 } from './wire.js';

export interface UserOptions {
  readonly name: string;
  readonly era: Era;
  readonly mcp: string;
  readonly ledger: Ledger;
  readonly random: SeededRandom;
  /** Whether the client listens to the status of its session. */
  readonly isListener: boolean;
  /** The mean pause between two calls. */
  readonly pauseMs: number;
  /** Called with each id of a connection, and each handle. */
  readonly onSecret: (secret: string) => void;
}

const LOGOUT_CHANCE = 1 / 60;
const CALLS_AFTER_LOGOUT = 3;
const RETRY_MS = 500;

/** A user with a client: logs in, calls a tool all the time, logs out now and then, and logs in again. */
export class User {
  readonly #options: UserOptions;
  #wire: Wire | undefined;
  #isLoggedIn = false;
  #stream: StatusStream | undefined;

  constructor(options: UserOptions) {
    this.#options = options;
  }

  /** Acts until the end of the run, then waits for one more answer. */
  async live(isOver: () => boolean): Promise<void> {
    const { random, pauseMs, isListener } = this.#options;
    await pause(random.below(pauseMs));
    while (!isOver()) {
      if (!this.#isLoggedIn) await this.#logIn();
      else if (random.chance(LOGOUT_CHANCE)) await this.#logOut();
      else if ((await this.#ask()) && isListener && !this.#stream) await this.#listen();
      await pause(pauseMs * (0.5 + random.fraction()));
    }
  }

  /** Closes its stream. */
  close(): void {
    this.#leaveStream();
  }

  /** Waits for an answer, with all faults over. */
  async settle(): Promise<void> {
    while (this.#isLoggedIn && !(await this.#ask())) await pause(RETRY_MS);
  }

  /** Calls the tool. @returns whether it answered */
  async #ask(): Promise<boolean> {
    const { name, ledger } = this.#options;
    const reply = await this.#call('whoami');
    if (reply?.outcome !== 'answered') return false;
    if (reply.isError) {
      this.#lose(reply.text);
      return false;
    }
    if (reply.text !== `200 ${name}`) ledger.foreign(name, reply.text);
    return true;
  }

  /** Notes that a server does not know the login. A 2026 client begins again without its handle. */
  #lose(text: string): void {
    const { name, era, ledger } = this.#options;
    this.#isLoggedIn = false;
    this.#leaveStream();
    if (era === '2026') this.#wire = undefined;
    ledger.lost(name, text);
  }

  async #call(tool: string): Promise<Reply | undefined> {
    const reply = await this.#wire?.call(tool);
    if (!reply) return undefined;
    const { name, ledger } = this.#options;
    const { outcome, ...received } = reply;
    if (outcome === 'unknown connection') {
      this.#wire = undefined;
      this.#isLoggedIn = false;
      this.#leaveStream();
      ledger.lost(name, 'the id of the connection is unknown');
      return undefined;
    }
    ledger.called({ ...received, user: name, outcome });
    return reply;
  }

  async #logIn(): Promise<void> {
    const { name, era, ledger } = this.#options;
    const fromMs = Date.now();
    const earlier = this.#wire;
    try {
      await this.#connect();
      const link = (await this.#calledLogin()).loginUrl;
      // A login may have come to its end although its client was not told.
      if (typeof link === 'string') await new Browser().logIn(link, name);
      const { status } = await this.#calledLogin();
      if (status !== 'authenticated') throw new Error(`The login is ${status}.`);
    } catch (error) {
      if (earlier && era === '2025' && !this.#wire) return ledger.connectionLost(name, earlier);
      if (era === '2026') this.#wire = undefined;
      const text = error instanceof Error ? error.message : String(error);
      ledger.called({ user: name, fromMs, toMs: Date.now(), outcome: 'login not finished', text });
      return;
    }
    this.#isLoggedIn = true;
    ledger.loggedIn({ user: name, era, node: this.#wire?.node });
  }

  async #connect(): Promise<void> {
    const { era, mcp, onSecret } = this.#options;
    if (era === '2026') this.#wire ??= wire2026(mcp);
    else if (!this.#wire) {
      const wire = await wire2025(mcp);
      if (!('call' in wire)) throw new Error(`No connection: ${wire.status} ${wire.text}`);
      this.#wire = wire;
      onSecret(wire.secret);
    }
  }

  async #calledLogin(): Promise<Readonly<Record<string, unknown>>> {
    const { name, onSecret } = this.#options;
    const reply = await this.#wire?.call('login');
    if (reply?.outcome === 'unknown connection') this.#wire = undefined;
    if (reply?.outcome !== 'answered' || reply.isError)
      throw new Error(`${name} cannot log in: ${reply?.status} ${reply?.text}`);
    if (this.#wire) onSecret(this.#wire.secret);
    return reply.structured;
  }

  /** Opens a stream, which ends with its server, with the session, or when the user leaves the login. */
  async #listen(): Promise<void> {
    const { name, ledger } = this.#options;
    const stream = await this.#wire?.listen(() => ledger.told(name));
    if (!stream) return;
    this.#stream = stream;
    ledger.listens(name, stream.node);
    void stream.ended.then(() => this.#leaveStream(stream));
  }

  #leaveStream(stream = this.#stream): void {
    stream?.close();
    if (!stream || this.#stream !== stream) return;
    this.#stream = undefined;
    this.#options.ledger.listensNoMore(this.#options.name);
  }

  /** Logs out. After the answer, no server serves the session. */
  async #logOut(): Promise<void> {
    const { name, era, ledger } = this.#options;
    this.#leaveStream();
    const reply = await this.#call('logout');
    if (!reply) return;
    this.#isLoggedIn = false;
    if (reply.outcome === 'answered' && reply.isError) return this.#lose(reply.text);
    ledger.loggedOut(name);
    if (reply.outcome === 'answered') {
      for (let calls = 0; calls < CALLS_AFTER_LOGOUT; calls++) {
        const after = await this.#call('whoami');
        if (after?.outcome === 'answered' && !after.isError)
          ledger.violated(`server ${after.node} served ${name} after the logout`);
      }
    }
    if (era === '2026') this.#wire = undefined;
  }
}
