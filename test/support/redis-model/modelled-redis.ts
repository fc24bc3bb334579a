import { createHash } from 'node:crypto';
import type { Commands, Reply } from '../../../packages/sessions/src/store/redis/engine.js';
import { Keyspace, type ModelReply } from './keyspace.js';
import { LuaScripts } from './lua-scripts.js';

export interface ModelledRedisOptions {
  /** The time of the engine, in milliseconds. */
  readonly now: () => number;
  /** Changes the text of a script, to check that a bug in it is noticed. */
  readonly patch?: ((lua: string) => string) | undefined;
}

/** A script that runs. */
export interface ScriptCall {
  readonly name: string;
  /** As in the script: the first is the time after which the caller has given up. */
  readonly args: readonly string[];
}

/** The Lua expression for the time of this engine. */
export const MODELLED_NOW = 'engine_now()';

const NAME = /^-- mcp-sessions (\S+)/;

/** An engine in this process, which runs the real scripts of the stores. Its time and its faults are those of the test. */
export class ModelledRedis {
  readonly keyspace: Keyspace;
  readonly #scripts = new Map<string, string>();
  readonly #lua: LuaScripts;
  readonly #now: () => number;
  readonly #patch: (lua: string) => string;
  /** Runs each script. It can look at what is there before and after. */
  around: (script: ScriptCall, run: () => ModelReply) => ModelReply = (_script, run) => run();

  constructor({ now, patch = (lua) => lua }: ModelledRedisOptions) {
    this.keyspace = new Keyspace(now);
    this.#lua = new LuaScripts((name, args) => this.keyspace.run(name, args), now);
    this.#now = now;
    this.#patch = patch;
  }

  /** Forgets everything, its scripts too. */
  restart(): void {
    this.keyspace.clear();
    this.#scripts.clear();
  }

  /** The name of a command, or of the script that it runs. */
  nameOf(command: string, [first]: readonly unknown[]): string {
    if (command !== 'EVAL' && command !== 'EVALSHA') return command;
    const lua = command === 'EVAL' ? String(first) : this.#scripts.get(String(first));
    return NAME.exec(lua ?? '')?.[1] ?? command;
  }

  /** Runs a command. @throws Error that the engine answers */
  run(command: string, args: Parameters<Commands['callBuffer']>[1]): Reply {
    if (command === 'TIME') return Buffer.from(String(this.#now()));
    const [first = '', ...rest] = args.map(textOf);
    if (command === 'EVALSHA' || command === 'EVAL') return replyOf(this.#eval(command, first, rest));
    return replyOf(this.keyspace.run(command, [first, ...rest]));
  }

  #eval(command: 'EVAL' | 'EVALSHA', given: string, [count, ...args]: readonly string[]): ModelReply {
    const sha1 = command === 'EVALSHA' ? given : createHash('sha1').update(given).digest('hex');
    if (command === 'EVAL') this.#scripts.set(sha1, this.#patch(given));
    const lua = this.#scripts.get(sha1);
    if (lua === undefined) throw new Error('NOSCRIPT No matching script. Please use EVAL.');
    const [keys, rest] = [args.slice(0, Number(count)), args.slice(Number(count))];
    const name = NAME.exec(lua)?.[1] ?? '';
    return this.around({ name, args: rest }, () => this.#lua.run(lua, keys, rest));
  }
}

function textOf(argument: string | Buffer | number): string {
  return Buffer.isBuffer(argument)
    ? argument.toString('latin1')
    : Buffer.from(String(argument)).toString('latin1');
}

/** As the client library gives it: bytes are buffers. */
function replyOf(reply: ModelReply): Reply {
  if (typeof reply === 'string') return Buffer.from(new Uint8Array(Buffer.from(reply, 'latin1')).buffer);
  if (typeof reply === 'number') return reply;
  return reply === undefined ? null : reply.map(replyOf);
}
