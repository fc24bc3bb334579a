/** The part of the Lua machine that the tests use. A string of Lua is its bytes. */
declare module 'fengari' {
  type State = object;
  type NativeFunction = (state: State) => number;

  export const lua: {
    readonly LUA_OK: number;
    readonly LUA_REGISTRYINDEX: number;
    readonly LUA_TNIL: number;
    readonly LUA_TBOOLEAN: number;
    readonly LUA_TNUMBER: number;
    readonly LUA_TSTRING: number;
    readonly LUA_TTABLE: number;
    lua_createtable(state: State, items: number, fields: number): void;
    lua_getfield(state: State, index: number, name: Uint8Array): number;
    lua_gettop(state: State): number;
    lua_pcall(state: State, args: number, results: number, handler: number): number;
    lua_pop(state: State, count: number): void;
    lua_pushboolean(state: State, value: boolean): void;
    lua_pushcfunction(state: State, run: NativeFunction): void;
    lua_pushnil(state: State): void;
    lua_pushnumber(state: State, value: number): void;
    lua_pushlstring(state: State, bytes: Uint8Array, length: number): void;
    lua_rawgeti(state: State, index: number, at: number): number;
    lua_rawseti(state: State, index: number, at: number): void;
    lua_setfield(state: State, index: number, name: Uint8Array): void;
    lua_setglobal(state: State, name: Uint8Array): void;
    lua_toboolean(state: State, index: number): boolean;
    lua_tonumber(state: State, index: number): number;
    lua_tolstring(state: State, index: number): Uint8Array;
    lua_type(state: State, index: number): number;
  };
  export const lauxlib: {
    luaL_error(state: State, message: Uint8Array): number;
    luaL_loadbuffer(state: State, code: Uint8Array, length: number, name: Uint8Array): number;
    luaL_newstate(): State;
    luaL_ref(state: State, index: number): number;
  };
  export const lualib: { luaL_openlibs(state: State): void };
}
