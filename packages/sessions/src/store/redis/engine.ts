import { SessionError, storeUnavailable } from '../../errors.js';
import { type Clock, systemClock } from '../../time/clock.js';
import { type LoadedScript, loadedScript, type Prelude, type Script } from './script.js';

/** What a command of the engine answers. */
export type Reply = Buffer | number | null | undefined | readonly Reply[];

/** The part of the client library that the stores use. */
export interface Commands {
  callBuffer(command: string, args: (string | Buffer | number)[]): Promise<unknown>;
}

export interface EngineOptions extends Prelude {
  readonly commands: Commands;
  /** The time of the engine. */
  readonly clock: Clock;
  /** What all keys begin with: a hash tag, so that scripts may use all of them. */
  readonly prefix: string;
  /** What ends calls that have no answer. Default: the clock of this process. */
  readonly timers?: Pick<Clock, 'after'> | undefined;
  /** The time after which a call is rejected, in milliseconds. Default: 1,000. Tests on a busy machine have more. */
  readonly deadlineMs?: number | undefined;
  /** Whether the engine may be used now. Default: always. */
  readonly isUsable?: (() => boolean) | undefined;
}

type Argument = string | number | Buffer;

const DEADLINE_MS = 1000;
/** The clock of this node differs from that of the engine by less than this. */
const MAX_CLOCK_ERROR_MS = 100;

/**
 * Calls to an engine. Each settles within a second, rejects only with SessionError `store_unavailable`, and takes no
 * effect after its rejection: the engine looks at its own clock before a script does anything.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #scripts = new Map<Script, LoadedScript>();
  #calls = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** The number of calls in flight. */
  get calls(): number {
    return this.#calls;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** Runs a script. @param args follow the deadline, so that the first is `ARGV[2]` */
  run(script: Script, args: readonly Argument[]): Promise<Reply> {
    const { clock, prefix, commands, deadlineMs = DEADLINE_MS } = this.#options;
    const { lua, sha1 } = this.#loaded(script);
    const notAfterMs = clock.now() + deadlineMs - MAX_CLOCK_ERROR_MS;
    const rest = [1, `${prefix}:`, notAfterMs, ...args];
    return this.#within(async () => {
      try {
        return await commands.callBuffer('EVALSHA', [sha1, ...rest]);
      } catch (error) {
        if (!isUnknownScript(error)) throw error;
        // The engine was restarted, or its scripts were flushed. It has not begun to run this one.
        return await commands.callBuffer('EVAL', [lua, ...rest]);
      }
    });
  }

  /** Sends a command that changes nothing. @param key without the prefix */
  read(command: string, key: string, ...args: readonly Argument[]): Promise<Reply> {
    const { prefix, commands } = this.#options;
    return this.#within(() => commands.callBuffer(command, [`${prefix}:${key}`, ...args]));
  }

  async #within(call: () => Promise<unknown>): Promise<Reply> {
    const { isUsable = () => true, timers = systemClock, deadlineMs = DEADLINE_MS } = this.#options;
    if (!isUsable()) throw storeUnavailable(undefined);
    this.#calls++;
    let cancel: () => void = () => undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const giveUp = () => reject(new Error('The engine did not answer in time.'));
      // After a pause of this process, the answer may have come already: it is read before the second turn.
      cancel = timers.after(deadlineMs, () => setImmediate(() => setImmediate(giveUp)));
    });
    try {
      const answer = call();
      answer.catch(() => undefined);
      // Replies are buffers, numbers, and lists of them.
      return (await Promise.race([answer, late])) as Reply;
    } catch (error) {
      throw error instanceof SessionError ? error : storeUnavailable(error);
    } finally {
      this.#calls--;
      cancel();
    }
  }

  #loaded(script: Script): LoadedScript {
    const known = this.#scripts.get(script);
    if (known) return known;
    const loaded = loadedScript(script, this.#options);
    this.#scripts.set(script, loaded);
    return loaded;
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
