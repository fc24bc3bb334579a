import { createHash } from 'node:crypto';

/** What all scripts of an engine begin with. */
export interface Prelude {
  /** A Lua expression: the time of the engine in milliseconds. Default: that of `TIME`. Tests set their own. */
  readonly now?: string | undefined;
}

/** A script with the hash that the engine knows it by. */
export interface LoadedScript {
  readonly lua: string;
  readonly sha1: string;
}

/**
 * A script of the engine, in one atomic step. It has the prefix of all keys in `P`, the engine's time in milliseconds in
 * `now`, and its arguments in `ARGV` from 2 on: the first is the time after which the caller has given up, and the
 * script does nothing then. `redis.call` with a key that is not in `KEYS` is allowed: all keys have one hash tag.
 */
export interface Script {
  readonly name: string;
  readonly lua: string;
}

const TIME = "(function() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end)()";

/** The reply of a script that came too late. */
const LATE = 'LATE';

/** A script with what it begins with. */
export function loadedScript({ name, lua }: Script, { now = TIME }: Prelude = {}): LoadedScript {
  const whole = `-- mcp-sessions ${name} 1
local P = KEYS[1]
local now = ${now}
if now > tonumber(ARGV[1]) then return redis.error_reply('${LATE} the caller has given up') end
${lua}`;
  return { lua: whole, sha1: createHash('sha1').update(whole).digest('hex') };
}
