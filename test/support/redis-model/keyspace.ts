/** What a command answers. Bytes are strings of Latin-1 characters. */
export type ModelReply = string | number | undefined | readonly ModelReply[];

class HashValue extends Map<string, string> {}
class SetValue extends Set<string> {}
type Value = string | HashValue | SetValue | SortedSet;

/** The keys of an engine and the commands on them, as far as the scripts of this library use them. */
export class Keyspace {
  readonly #now: () => number;
  #values = new Map<string, Value>();
  #expiriesMs = new Map<string, number>();

  /** @param now the time of the engine, in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The keys that have not expired. */
  keys(): string[] {
    return [...this.#values.keys()].filter((key) => this.#get(key) !== undefined);
  }

  /** When a key expires; `undefined`: never. */
  expiryOf(key: string): number | undefined {
    return this.#expiriesMs.get(key);
  }

  /** Forgets everything, as after a restart. */
  clear(): void {
    this.#values = new Map();
    this.#expiriesMs = new Map();
  }

  /** @returns a function that makes everything what it is now */
  snapshot(): () => void {
    const values = new Map([...this.#values].map(([key, value]) => [key, copyOf(value)]));
    const expiriesMs = new Map(this.#expiriesMs);
    return () => {
      this.#values = values;
      this.#expiriesMs = expiriesMs;
    };
  }

  /** Runs a command. @throws Error if it is not known */
  run(name: string, args: readonly string[]): ModelReply {
    const command = this.#commands[name.toUpperCase()];
    if (!command) throw new Error(`The modelled engine does not know ${name}.`);
    const [key = '', ...rest] = args;
    return command(key, rest);
  }

  readonly #commands: Readonly<Record<string, (key: string, args: readonly string[]) => ModelReply>> = {
    GET: (key) => this.#text(key),
    SET: (key, [value = '', option, ms]) => {
      if (option === 'NX' && this.#get(key) !== undefined) return undefined;
      if (option !== undefined && option !== 'PX' && option !== 'NX')
        throw new Error(`The modelled engine does not know ${option}.`);
      this.#set(key, value);
      if (option === 'PX') this.#expire(key, Number(ms));
      return 'OK';
    },
    DEL: (key, more) => [key, ...more].filter((each) => this.#delete(each)).length,
    EXISTS: (key) => (this.#get(key) === undefined ? 0 : 1),
    INCR: (key) => this.#increase(key, 1),
    INCRBY: (key, [by]) => this.#increase(key, Number(by)),
    PEXPIRE: (key, [ms]) => (this.#get(key) === undefined ? 0 : this.#expire(key, Number(ms))),
    PERSIST: (key) => (this.#get(key) !== undefined && this.#expiriesMs.delete(key) ? 1 : 0),
    HGET: (key, [field = '']) => this.#hash(key).get(field),
    HMGET: (key, fields) => fields.map((field) => this.#hash(key).get(field)),
    HEXISTS: (key, [field = '']) => (this.#hash(key).has(field) ? 1 : 0),
    HGETALL: (key) => [...this.#hash(key)].flat(),
    HVALS: (key) => [...this.#hash(key).values()],
    HSET: (key, fields) =>
      this.#change(key, HashValue, (hash) => {
        const before = hash.size;
        for (const [field, value] of pairsOf(fields)) hash.set(field, value);
        return hash.size - before;
      }),
    HSETNX: (key, [field = '', value = '']) =>
      this.#change(key, HashValue, (hash) => {
        if (hash.has(field)) return 0;
        hash.set(field, value);
        return 1;
      }),
    HDEL: (key, fields) =>
      this.#change(key, HashValue, (hash) => fields.filter((field) => hash.delete(field)).length),
    SADD: (key, members) =>
      this.#change(key, SetValue, (set) => {
        const before = set.size;
        for (const member of members) set.add(member);
        return set.size - before;
      }),
    SREM: (key, members) =>
      this.#change(key, SetValue, (set) => members.filter((member) => set.delete(member)).length),
    SCARD: (key) => this.#setOf(key).size,
    SMEMBERS: (key) => [...this.#setOf(key)],
    SSCAN: (key, options) => pageOf([...this.#setOf(key)], options),
    ZADD: (key, fields) =>
      this.#change(key, SortedSet, (set) => {
        const before = set.size;
        for (const [score, member] of pairsOf(fields)) set.put(member, scoreOf(score));
        return set.size - before;
      }),
    ZREM: (key, members) =>
      this.#change(key, SortedSet, (set) => members.filter((member) => set.remove(member)).length),
    ZINCRBY: (key, [by = '', member = '']) =>
      this.#change(key, SortedSet, (set) => {
        const score = (set.scoreOf(member) ?? 0) + scoreOf(by);
        set.put(member, score);
        return String(score);
      }),
    ZCARD: (key) => this.#sorted(key).size,
    ZSCORE: (key, [member = '']) => {
      const score = this.#sorted(key).scoreOf(member);
      return score === undefined ? undefined : String(score);
    },
    ZSCAN: (key, options) => {
      const members = this.#sorted(key).members.map(({ member }) => member);
      const [cursor, page] = pageOf(members, options);
      return [cursor, page.flatMap((member) => [member, String(this.#sorted(key).scoreOf(member))])];
    },
    ZRANGE: (key, [from, to, ...options]) =>
      rangeOf(this.#sorted(key).members, [Number(from), Number(to)], options),
    ZREVRANGE: (key, [from, to, ...options]) =>
      rangeOf([...this.#sorted(key).members].reverse(), [Number(from), Number(to)], options),
    ZRANGEBYSCORE: (key, [from = '', to = '', limit, offset, count]) => {
      const fitting = this.#sorted(key).members.filter(
        ({ score }) => score >= scoreOf(from) && score <= scoreOf(to),
      );
      const start = limit === undefined ? 0 : Number(offset);
      const end = limit === undefined ? fitting.length : start + Number(count);
      return fitting.slice(start, end).map(({ member }) => member);
    },
  };

  #get(key: string): Value | undefined {
    if (this.#now() >= (this.#expiriesMs.get(key) ?? Number.POSITIVE_INFINITY)) this.#delete(key);
    return this.#values.get(key);
  }

  #set(key: string, value: string): void {
    this.#values.set(key, value);
    this.#expiriesMs.delete(key);
  }

  #delete(key: string): boolean {
    this.#expiriesMs.delete(key);
    return this.#values.delete(key);
  }

  #expire(key: string, ms: number): number {
    if (Number.isNaN(ms)) throw new Error('ERR value is not an integer or out of range');
    this.#expiriesMs.set(key, this.#now() + ms);
    return 1;
  }

  #text(key: string): string | undefined {
    const value = this.#get(key);
    if (value !== undefined && typeof value !== 'string') throw wrongType();
    return value;
  }

  #increase(key: string, by: number): number {
    const next = Number(this.#text(key) ?? 0) + by;
    // Unlike SET, this leaves the expiry as it is.
    this.#values.set(key, String(next));
    return next;
  }

  #hash(key: string): ReadonlyMap<string, string> {
    return this.#typed(key, HashValue) ?? new Map();
  }

  #setOf(key: string): ReadonlySet<string> {
    return this.#typed(key, SetValue) ?? new Set();
  }

  #sorted(key: string): SortedSet {
    return this.#typed(key, SortedSet) ?? new SortedSet();
  }

  #typed<T extends object>(key: string, type: new () => T): T | undefined {
    const value = this.#get(key);
    if (value === undefined || value instanceof type) return value as T | undefined;
    throw wrongType();
  }

  /** Changes a value that comes into being when it gets its first member, and goes with its last one. */
  #change<T extends Exclude<Value, string>>(
    key: string,
    type: new () => T,
    change: (value: T) => ModelReply,
  ): ModelReply {
    const value = this.#typed(key, type) ?? new type();
    const reply = change(value);
    if (value.size > 0) this.#values.set(key, value);
    else this.#delete(key);
    return reply;
  }
}

interface Scored {
  readonly member: string;
  readonly score: number;
}

class SortedSet {
  readonly #scores: Map<string, number>;
  #sorted: Scored[] | undefined;

  constructor(scores: ReadonlyMap<string, number> = new Map()) {
    this.#scores = new Map(scores);
  }

  get size(): number {
    return this.#scores.size;
  }

  /** By score, those of the same score by name. */
  get members(): readonly Scored[] {
    this.#sorted ??= [...this.#scores]
      .map(([member, score]) => ({ member, score }))
      .sort((a, b) => a.score - b.score || (a.member < b.member ? -1 : 1));
    return this.#sorted;
  }

  scoreOf(member: string): number | undefined {
    return this.#scores.get(member);
  }

  put(member: string, score: number): void {
    const last = this.#sorted?.at(-1);
    // Most members are newer than all others: a large set is not sorted again for each.
    if (last && score > last.score && !this.#scores.has(member)) this.#sorted?.push({ member, score });
    else this.#sorted = undefined;
    this.#scores.set(member, score);
  }

  remove(member: string): boolean {
    if (!this.#scores.delete(member)) return false;
    if (this.#sorted?.[0]?.member === member) this.#sorted.shift();
    else this.#sorted = undefined;
    return true;
  }

  copy(): SortedSet {
    return new SortedSet(this.#scores);
  }
}

function rangeOf(
  members: readonly Scored[],
  [from, to]: readonly [number, number],
  options: readonly string[],
): ModelReply {
  const end = to < 0 ? members.length + to : to;
  const range = members.slice(from, end + 1);
  if (options.length === 0) return range.map(({ member }) => member);
  return range.flatMap(({ member, score }) => [member, String(score)]);
}

/** A part of the members, after a cursor that counts those before. None may be removed meanwhile. */
function pageOf(members: readonly string[], [cursor, , count]: readonly string[]): [string, string[]] {
  const end = Number(cursor) + Number(count);
  return [end < members.length ? String(end) : '0', members.slice(Number(cursor), end)];
}

function copyOf(value: Value): Value {
  if (typeof value === 'string') return value;
  if (value instanceof HashValue) return new HashValue(value);
  if (value instanceof SetValue) return new SetValue(value);
  return value.copy();
}

function pairsOf(list: readonly string[]): [string, string][] {
  if (list.length === 0 || list.length % 2 !== 0) throw new Error('ERR wrong number of arguments');
  const pairs: [string, string][] = [];
  for (let at = 0; at < list.length; at += 2) pairs.push([String(list[at]), String(list[at + 1])]);
  return pairs;
}

function scoreOf(text: string): number {
  if (text === '-inf') return Number.NEGATIVE_INFINITY;
  const score = text === '+inf' || text === 'inf' ? Number.POSITIVE_INFINITY : Number(text);
  if (text === '' || Number.isNaN(score)) throw new Error('ERR value is not a valid float');
  return score;
}

function wrongType(): Error {
  return new Error('WRONGTYPE Operation against a key holding the wrong kind of value');
}
