import type { Tokens } from './access-tokens.js';
import { handleIn, linkIn, requestStateIn } from './answer-reading.js';
import {
  type Blueprint,
  type Header,
  type Placeholder,
  resolvePlaceholders,
  SLOTS,
  TRIP_SLOTS,
  type Way,
} from './blueprint.js';
import type { Answer } from './client.js';
import { Ring } from './ring.js';
import { Trip } from './trip.js';

/** A throw-away session whose place was taken by another. */
export type Displaced = { readonly kind: 'connection' | 'session'; readonly id: string };

/** A request as it goes over the wire, and what takes in its answer. */
export interface OpenedRequest {
  readonly request: Blueprint;
  readonly learn: (answer: Answer) => Displaced[];
}

/** What takes the place of something that is not known yet: an id that there is not. */
const UNKNOWN = '0'.repeat(43);
/** How whoever does not say so logs in. */
const PLAIN: Way = { tool: 'login', provider: 'main', flow: 'link' };

/** What the server has given out so far: ids, links, states. The newest of each kind are kept. */
export class Book {
  readonly #members: readonly string[];
  readonly #origin: string;
  readonly #tokens: Tokens | undefined;
  /** Which guest a throw-away connection belongs to. */
  readonly #holders = new Map<string, number>();
  readonly #connections: Ring<string> = new Ring(SLOTS);
  readonly #sessions: Ring<string> = new Ring(SLOTS);
  readonly #requestStates: Ring<string> = new Ring(SLOTS);
  readonly #events: Ring<string> = new Ring(SLOTS);
  readonly #trips: (Trip | undefined)[] = Array.from({ length: TRIP_SLOTS }, () => undefined);

  /** @param tokens what requests bring that need an access token; `undefined`: they need none */
  constructor(origin: string, members: readonly string[], tokens?: Tokens) {
    this.#origin = origin;
    this.#tokens = tokens;
    this.#members = members;
  }

  /** Every throw-away session that is known. */
  get throwAways(): Displaced[] {
    const own = this.#trips.flatMap((trip) => trip?.connection ?? []);
    return [
      ...[...this.#connections.entries, ...own].map((id) => ({ kind: 'connection', id }) as const),
      ...this.#sessions.entries.map((id) => ({ kind: 'session', id }) as const),
    ];
  }

  open(blueprint: Blueprint): OpenedRequest {
    const trip = blueprint.trip === undefined ? undefined : this.#trips[blueprint.trip];
    const isUnderWay = trip !== undefined && !trip.isOver;
    const step = isUnderWay ? blueprint.steps?.[trip.next(blueprint.isEager ?? false)] : undefined;
    const { steps: _, ...chosen } = step ?? blueprint;
    const fill = (text: string) => resolvePlaceholders(text, (name, slot) => this.#look(name, slot));
    const named = chosen.headers.map(([name, value]) => [name, fill(value)] as const);
    const { authorization, guest } = this.#authorized(blueprint, named);
    const request = {
      ...chosen,
      path: fill(chosen.path),
      headers: [...named, ...authorization],
      ...(chosen.body !== undefined && { body: fill(chosen.body) }),
    };
    const isHeld = request.patience !== undefined;
    if (isUnderWay) trip.leave(isHeld);
    const learn = (answer: Answer) => {
      if (isUnderWay) trip.arrive(isHeld, answer);
      const started = answer.headers['mcp-session-id'];
      if (guest !== undefined && typeof started === 'string') this.#holders.set(started, guest);
      return this.#learn(request, isUnderWay ? trip : undefined, answer);
    };
    return { request, learn };
  }

  /** The access token of a request as a header, and the guest whose it is. */
  #authorized(
    { credential, owner }: Blueprint,
    headers: readonly Header[],
  ): { authorization: Header[]; guest?: number } {
    if (!this.#tokens) return { authorization: [] };
    const { members, guests, flawed } = this.#tokens;
    if (credential?.kind === 'flawed') {
      const value = flawed[credential.flaw];
      return { authorization: value === undefined ? [] : [['authorization', value]] };
    }
    if (owner !== undefined) return { authorization: [['authorization', `Bearer ${members[owner]}`]] };
    const [, connection = ''] = headers.find(([name]) => name === 'mcp-session-id') ?? [];
    const guest = this.#holders.get(connection) ?? credential?.guest ?? 0;
    return { authorization: [['authorization', `Bearer ${guests[guest]}`]], guest };
  }

  #look(name: string, slot: number): string {
    // Texts that were changed may name anything.
    return this.#known(name as Placeholder, slot) ?? UNKNOWN;
  }

  #known(name: Placeholder, slot: number): string | undefined {
    switch (name) {
      case 'member':
        return this.#members[slot];
      case 'connection':
        return this.#connections.at(slot);
      case 'session':
        return this.#sessions.at(slot);
      case 'link':
        return this.#trips[slot]?.link ?? `/connect/${UNKNOWN}`;
      case 'requestState':
        return this.#requestStates.at(slot);
      case 'event':
        return this.#events.at(slot);
      case 'origin':
        return this.#origin;
      case 'host':
        return this.#origin.replace('http://', '');
      default:
        return this.#trips[slot]?.known(name);
    }
  }

  #learn(request: Blueprint, trip: Trip | undefined, answer: Answer): Displaced[] {
    const { status, headers, text } = answer;
    const ended = trip?.isOver ? this.#retire(trip) : [];
    if (status !== 200) return ended;
    const requestState = requestStateIn(text);
    if (requestState !== undefined) this.#requestStates.add(requestState);
    const event = request.owner === undefined ? /^id: (.+)$/m.exec(text)?.[1] : undefined;
    if (event !== undefined) this.#events.add(event);
    if (trip) return ended;
    const id = headers['mcp-session-id'];
    const connection = typeof id === 'string' ? id : undefined;
    if (request.begins) return this.#begin(request.trip ?? 0, request.begins, connection, answer);
    const handle = handleIn(text);
    this.#adopt(request, handle, answer);
    return [
      ...this.#keep('connection', this.#connections, connection),
      ...(text.includes('"status":"authenticated"') ? this.#keep('session', this.#sessions, handle) : []),
    ];
  }

  /** A login has been begun on purpose. The one whose slot it takes is given up. */
  #begin(slot: number, way: Way, connection: string | undefined, answer: Answer): Displaced[] {
    const { text } = answer;
    const handle = handleIn(text);
    const state = requestStateIn(text);
    const displaced = this.#trips[slot];
    if (connection !== undefined)
      this.#trips[slot] = new Trip(way, { kind: 'connection', id: connection }, answer);
    else if (state !== undefined) this.#trips[slot] = new Trip(way, { kind: 'round', state }, answer);
    else if (handle !== undefined) this.#trips[slot] = new Trip(way, { kind: 'handle', id: handle }, answer);
    else return [];
    return displaced && !displaced.isOver ? this.#retire(displaced) : [];
  }

  /** A login has been begun by the way. It is gone on with if there is room, and if its session is new. */
  #adopt({ cutMs, body = '' }: Blueprint, handle: string | undefined, answer: Answer): void {
    // Were the user to go on with a call that is given up, nobody would hear of the session it leads to. In one that
    // was there before, somebody else may have logged in elsewhere.
    if (handle === undefined || cutMs !== undefined || body.includes(handle)) return;
    const free = this.#trips.findIndex((trip) => trip === undefined || trip.isOver);
    if (free === -1 || linkIn(answer.text) === undefined) return;
    this.#trips[free] = new Trip(PLAIN, { kind: 'handle', id: handle }, answer);
  }

  /** What a login leaves behind when nobody goes on with it. */
  #retire({ connection, session }: Trip): Displaced[] {
    return [
      ...this.#keep('connection', this.#connections, connection),
      ...this.#keep('session', this.#sessions, session),
    ];
  }

  #keep(kind: Displaced['kind'], ids: Ring<string>, id: string | undefined): Displaced[] {
    if (id === undefined || this.#members.includes(id) || ids.entries.includes(id)) return [];
    const displaced = ids.add(id);
    return displaced === undefined ? [] : [{ kind, id: displaced }];
  }
}
