import { lauxlib, lua, lualib } from 'fengari';
import type { ModelReply } from './keyspace.js';

/** Runs the scripts of an engine in Lua 5.3; engines have 5.1. What differs between them is as in 5.1 here. */
export class LuaScripts {
  readonly #state = lauxlib.luaL_newstate();
  readonly #compiled = new Map<string, number>();

  /**
   * @param call runs a command
   * @param now the time of the engine, which scripts get from `engine_now()`
   */
  constructor(call: (name: string, args: readonly string[]) => ModelReply, now: () => number) {
    const state = this.#state;
    lualib.luaL_openlibs(state);
    lua.lua_createtable(state, 0, 2);
    this.#setFunction('call', () => {
      const [name = '', ...args] = argumentsOf(state);
      push(state, call(name, args));
    });
    lua.lua_setglobal(state, bytesOf('redis'));
    // The integers of this machine have 32 bits only: all numbers are floating-point numbers, as in 5.1.
    this.#setGlobalFunction('tonumber', () => {
      const isText = lua.lua_type(state, 1) === lua.LUA_TSTRING;
      const number = isText ? numberOf(textAt(state, 1)) : lua.lua_tonumber(state, 1);
      const isNumber = isText || lua.lua_type(state, 1) === lua.LUA_TNUMBER;
      if (isNumber && !Number.isNaN(number)) lua.lua_pushnumber(state, number);
      else lua.lua_pushnil(state);
    });
    this.#setGlobalFunction('engine_now', () => lua.lua_pushnumber(state, now()));
    this.#runCode('unpack = table.unpack; function redis.error_reply(text) return { err = text } end');
  }

  /** @throws Error if the script fails, or answers an error */
  run(code: string, keys: readonly string[], args: readonly string[]): ModelReply {
    const state = this.#state;
    push(state, keys);
    lua.lua_setglobal(state, bytesOf('KEYS'));
    push(state, args);
    lua.lua_setglobal(state, bytesOf('ARGV'));
    lua.lua_rawgeti(state, lua.LUA_REGISTRYINDEX, this.#functionOf(code));
    if (lua.lua_pcall(state, 0, 1, 0) !== lua.LUA_OK) throw this.#popError();
    const reply = replyAt(state, -1);
    lua.lua_pop(state, 1);
    if (reply instanceof Error) throw reply;
    return reply;
  }

  #functionOf(code: string): number {
    const known = this.#compiled.get(code);
    if (known !== undefined) return known;
    this.#load(code);
    const compiled = lauxlib.luaL_ref(this.#state, lua.LUA_REGISTRYINDEX);
    this.#compiled.set(code, compiled);
    return compiled;
  }

  #load(code: string): void {
    const bytes = bytesOf(code);
    const name = bytesOf(code.slice(0, code.indexOf('\n')));
    if (lauxlib.luaL_loadbuffer(this.#state, bytes, bytes.length, name) !== lua.LUA_OK)
      throw this.#popError();
  }

  #runCode(code: string): void {
    this.#load(code);
    if (lua.lua_pcall(this.#state, 0, 0, 0) !== lua.LUA_OK) throw this.#popError();
  }

  #popError(): Error {
    const error = new Error(textAt(this.#state, -1));
    lua.lua_pop(this.#state, 1);
    return error;
  }

  #setFunction(name: string, run: () => void): void {
    this.#pushFunction(run);
    lua.lua_setfield(this.#state, -2, bytesOf(name));
  }

  #setGlobalFunction(name: string, run: () => void): void {
    this.#pushFunction(run);
    lua.lua_setglobal(this.#state, bytesOf(name));
  }

  #pushFunction(run: () => void): void {
    lua.lua_pushcfunction(this.#state, (state) => {
      try {
        run();
        return 1;
      } catch (error) {
        return lauxlib.luaL_error(state, bytesOf(String(error).replaceAll('%', '%%')));
      }
    });
  }
}

type State = Parameters<typeof lua.lua_gettop>[0];

function argumentsOf(state: State): string[] {
  return Array.from({ length: lua.lua_gettop(state) }, (_, at) => {
    const type = lua.lua_type(state, at + 1);
    if (type === lua.LUA_TNUMBER) return String(lua.lua_tonumber(state, at + 1));
    if (type === lua.LUA_TSTRING) return textAt(state, at + 1);
    throw new Error('Lua redis() command arguments must be strings or integers');
  });
}

/** As a reply of a command is in Lua: what is absent is false. */
function push(state: State, reply: ModelReply): void {
  if (reply === undefined) {
    lua.lua_pushboolean(state, false);
  } else if (typeof reply === 'number') {
    lua.lua_pushnumber(state, reply);
  } else if (typeof reply === 'string') {
    pushText(state, reply);
  } else {
    lua.lua_createtable(state, reply.length, 0);
    for (const [at, each] of reply.entries()) {
      push(state, each);
      lua.lua_rawseti(state, -2, at + 1);
    }
  }
}

function pushText(state: State, text: string): void {
  const bytes = bytesOf(text);
  lua.lua_pushlstring(state, bytes, bytes.length);
}

/** As an engine answers what a script returns: numbers without their decimals, lists up to the first nil. */
function replyAt(state: State, index: number): ModelReply | Error {
  switch (lua.lua_type(state, index)) {
    case lua.LUA_TSTRING:
      return textAt(state, index);
    case lua.LUA_TNUMBER:
      return Math.trunc(lua.lua_tonumber(state, index));
    case lua.LUA_TBOOLEAN:
      return lua.lua_toboolean(state, index) ? 1 : undefined;
    case lua.LUA_TTABLE:
      return listAt(state);
    default:
      return undefined;
  }
}

/** The table on top of the stack. */
function listAt(state: State): ModelReply | Error {
  if (lua.lua_getfield(state, -1, bytesOf('err')) === lua.LUA_TSTRING) {
    const error = new Error(textAt(state, -1));
    lua.lua_pop(state, 1);
    return error;
  }
  lua.lua_pop(state, 1);
  const list: ModelReply[] = [];
  for (let at = 1; ; at++) {
    const isEnd = lua.lua_rawgeti(state, -1, at) === lua.LUA_TNIL;
    const reply = replyAt(state, -1);
    lua.lua_pop(state, 1);
    if (isEnd) return list;
    if (reply instanceof Error) return reply;
    list.push(reply);
  }
}

/** As in 5.1, also for what is infinite. */
function numberOf(text: string): number {
  if (/^[+-]?inf(?:inity)?$/i.test(text))
    return text.startsWith('-') ? -Number.POSITIVE_INFINITY : Number.POSITIVE_INFINITY;
  return text.trim() === '' ? Number.NaN : Number(text);
}

function textAt(state: State, index: number): string {
  const bytes = lua.lua_tolstring(state, index);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}
