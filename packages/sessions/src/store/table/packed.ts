/** What can be packed. An absent field of a list at its end takes no space. */
export type Packable =
  | undefined
  | boolean
  | number
  | string
  | readonly Packable[]
  | { readonly [name: string]: Packable };

const TAG = {
  undefined: 0,
  true: 1,
  false: 2,
  uint32: 3,
  float64: 4,
  /** One byte for each character. */
  latin1: 5,
  utf16: 6,
  list: 7,
  object: 8,
  known: 9,
} as const;
/** Smaller tags are those above, larger ones are numbers from 0 on. */
const SMALL = 16;
const MAX_SMALL = 255 - SMALL;
const MAX_UINT32 = 2 ** 32 - 1;
const INITIAL_BYTES = 4096;

/** Packs values into bytes without gaps. Texts of `known` take two bytes. */
export class Packer {
  readonly #known: readonly string[];
  readonly #codes: ReadonlyMap<string, number>;
  #bytes = Buffer.alloc(INITIAL_BYTES);
  #end = 0;

  /** @param known at most 256 */
  constructor(known: readonly string[]) {
    this.#known = known;
    this.#codes = new Map(known.map((text, code) => [text, code]));
  }

  /** @returns the bytes, which the next call overwrites. They must have no secrets. */
  pack(value: Packable): Buffer {
    this.#end = 0;
    this.#put(value);
    return this.#bytes.subarray(0, this.#end);
  }

  /** The first item of a packed list. */
  first(bytes: Buffer): Packable {
    return new Unpacking(bytes, this.#known).first();
  }

  /** The value of packed bytes. */
  unpack(bytes: Buffer): Packable {
    return new Unpacking(bytes, this.#known).next();
  }

  #put(value: Packable): void {
    if (value === undefined) this.#byte(TAG.undefined);
    else if (typeof value === 'boolean') this.#byte(value ? TAG.true : TAG.false);
    else if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'string') this.#text(value);
    else if (isList(value)) this.#list(value);
    else {
      const entries = Object.entries(value);
      this.#byte(TAG.object);
      this.#number(entries.length);
      for (const [name, field] of entries) {
        this.#text(name);
        this.#put(field);
      }
    }
  }

  #list(list: readonly Packable[]): void {
    let length = list.length;
    while (length > 0 && list[length - 1] === undefined) length--;
    this.#byte(TAG.list);
    this.#number(length);
    for (let index = 0; index < length; index++) this.#put(list[index]);
  }

  #number(value: number): void {
    const isUint32 = Number.isInteger(value) && value >= 0 && value <= MAX_UINT32 && !Object.is(value, -0);
    if (isUint32 && value <= MAX_SMALL) this.#byte(SMALL + value);
    else if (isUint32) {
      this.#byte(TAG.uint32);
      this.#end = this.#room(4).writeUInt32LE(value, this.#end);
    } else {
      this.#byte(TAG.float64);
      this.#end = this.#room(8).writeDoubleLE(value, this.#end);
    }
  }

  #text(text: string): void {
    const code = this.#codes.get(text);
    if (code !== undefined) {
      this.#byte(TAG.known);
      this.#byte(code);
      return;
    }
    // Not UTF-8, which has no bytes for a surrogate that stands alone.
    const isNarrow = isLatin1(text);
    this.#byte(isNarrow ? TAG.latin1 : TAG.utf16);
    this.#number(text.length);
    const bytes = this.#room(2 * text.length);
    this.#end += bytes.write(text, this.#end, isNarrow ? 'latin1' : 'utf16le');
  }

  #byte(value: number): void {
    this.#end = this.#room(1).writeUInt8(value, this.#end);
  }

  #room(size: number): Buffer {
    if (this.#end + size > this.#bytes.length) {
      const larger = Buffer.alloc(2 * (this.#end + size));
      larger.set(this.#bytes.subarray(0, this.#end));
      this.#bytes = larger;
    }
    return this.#bytes;
  }
}

class Unpacking {
  readonly #bytes: Buffer;
  readonly #known: readonly string[];
  #at = 0;

  constructor(bytes: Buffer, known: readonly string[]) {
    this.#bytes = bytes;
    this.#known = known;
  }

  next(): Packable {
    const tag = this.#byte();
    switch (tag) {
      case TAG.undefined:
        return undefined;
      case TAG.true:
      case TAG.false:
        return tag === TAG.true;
      case TAG.uint32:
        this.#at += 4;
        return this.#bytes.readUInt32LE(this.#at - 4);
      case TAG.float64:
        this.#at += 8;
        return this.#bytes.readDoubleLE(this.#at - 8);
      case TAG.latin1:
        return this.#text('latin1', 1);
      case TAG.utf16:
        return this.#text('utf16le', 2);
      case TAG.list:
        return this.#list();
      case TAG.object:
        return Object.fromEntries(
          Array.from({ length: this.#count() }, () => [String(this.next()), this.next()]),
        );
      case TAG.known:
        return this.#known[this.#byte()];
      default:
        return tag - SMALL;
    }
  }

  first(): Packable {
    this.#byte();
    return this.#count() > 0 ? this.next() : undefined;
  }

  #list(): readonly Packable[] {
    const list: Packable[] = [];
    for (let left = this.#count(); left > 0; left--) list.push(this.next());
    return list;
  }

  #text(encoding: 'latin1' | 'utf16le', characterBytes: number): string {
    const length = this.#count() * characterBytes;
    this.#at += length;
    return this.#bytes.toString(encoding, this.#at - length, this.#at);
  }

  #count(): number {
    return Number(this.next());
  }

  #byte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }
}

function isLatin1(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0xff) return false;
  return true;
}

function isList(value: object): value is readonly Packable[] {
  return Array.isArray(value);
}
