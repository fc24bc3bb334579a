import { type Blueprint, type Placeholder, resolvePlaceholders, SLOTS } from './blueprint.js';
import type { Answer } from './client.js';
import { Ring } from './ring.js';

/** A login that is under way, as its client and its browser know it. */
interface Trip {
  readonly link: string;
  readonly pending: string | undefined;
  readonly cookies: Map<string, string>;
  form?: string;
  state?: string;
}

/** A throw-away session whose place was taken by another. */
export type Displaced = { readonly kind: 'connection' | 'session'; readonly id: string };

/** What takes the place of something that is not known yet: an id that there is not. */
const UNKNOWN = '0'.repeat(43);

/** What the server has given out so far: ids, links, states. The newest of each kind are kept. */
export class Book {
  readonly #members: readonly string[];
  readonly #origin: string;
  readonly #connections: Ring<string> = new Ring(SLOTS);
  readonly #sessions: Ring<string> = new Ring(SLOTS);
  readonly #requestStates: Ring<string> = new Ring(SLOTS);
  readonly #events: Ring<string> = new Ring(SLOTS);
  readonly #trips: Ring<Trip> = new Ring(SLOTS);

  constructor(origin: string, members: readonly string[]) {
    this.#origin = origin;
    this.#members = members;
  }

  /** Every throw-away session that is known. */
  get throwAways(): Displaced[] {
    return [
      ...this.#connections.entries.map((id) => ({ kind: 'connection', id }) as const),
      ...this.#sessions.entries.map((id) => ({ kind: 'session', id }) as const),
    ];
  }

  /** A request as it goes over the wire, and what takes in its answer. */
  open(blueprint: Blueprint): { request: Blueprint; learn: (answer: Answer) => Displaced[] } {
    const trip = blueprint.trip === undefined ? undefined : this.#trips.at(blueprint.trip);
    const fill = (text: string) => resolvePlaceholders(text, (name, slot) => this.#look(name, slot));
    const request = {
      ...blueprint,
      path: fill(blueprint.path),
      headers: blueprint.headers.map(([name, value]) => [name, fill(value)] as const),
      ...(blueprint.body !== undefined && { body: fill(blueprint.body) }),
    };
    return { request, learn: (answer) => this.#learn(blueprint, trip, answer) };
  }

  #look(name: string, slot: number): string {
    const trip = this.#trips.at(slot);
    const known: Record<Placeholder, string | undefined> = {
      member: this.#members[slot],
      connection: this.#connections.at(slot),
      session: this.#sessions.at(slot),
      pending: trip?.pending,
      link: trip?.link ?? `/connect/${UNKNOWN}`,
      form: trip?.form,
      cookie: trip && ([...trip.cookies].map((pair) => pair.join('=')).join('; ') || undefined),
      state: trip?.state,
      code: trip && [...trip.cookies].find(([cookie]) => cookie.startsWith('mcp-login-code-'))?.[1],
      requestState: this.#requestStates.at(slot),
      event: this.#events.at(slot),
      origin: this.#origin,
      host: this.#origin.replace('http://', ''),
    };
    // Texts that were changed may name anything.
    return known[name as Placeholder] ?? UNKNOWN;
  }

  #learn(
    { owner, cutMs }: Blueprint,
    trip: Trip | undefined,
    { status, headers, text }: Answer,
  ): Displaced[] {
    if (trip) observe(trip, headers, text);
    if (status !== 200) return [];
    const requestState = /"requestState":"([^"]+)"/.exec(text)?.[1];
    if (requestState !== undefined) this.#requestStates.add(requestState);
    const event = owner === undefined ? /^id: (.+)$/m.exec(text)?.[1] : undefined;
    if (event !== undefined) this.#events.add(event);
    const handle = /"session":"([\w-]{43})"/.exec(text)?.[1];
    const link = /"loginUrl":"http:[/][/][^/]+([/]connect[/][\w-]+)"/.exec(text)?.[1];
    // Were the user to go on with a call that is given up, nobody would hear of the session it leads to.
    const mayGoOn = handle === undefined || cutMs === undefined;
    if (link !== undefined && mayGoOn && !this.#trips.entries.some((known) => known.link === link))
      this.#trips.add({ link, pending: handle, cookies: new Map() });
    const id = headers['mcp-session-id'];
    const isLoggedIn = text.includes('"status":"authenticated"');
    return [
      ...(typeof id === 'string' ? this.#keep('connection', this.#connections, id) : []),
      ...(handle && isLoggedIn ? this.#keep('session', this.#sessions, handle) : []),
    ];
  }

  #keep(kind: Displaced['kind'], ids: Ring<string>, id: string): Displaced[] {
    if (this.#members.includes(id) || ids.entries.includes(id)) return [];
    const displaced = ids.add(id);
    return displaced === undefined ? [] : [{ kind, id: displaced }];
  }
}

/** What a browser keeps of an answer. */
function observe(trip: Trip, headers: Answer['headers'], text: string): void {
  for (const cookie of headers['set-cookie'] ?? []) {
    const [, name, value] = /^([^=;]+)=([^;]*)/.exec(cookie) ?? [];
    if (name !== undefined && value !== undefined) trip.cookies.set(name, value);
  }
  const form = /name="form"[^>]*value="([^"]+)"/.exec(text)?.[1];
  if (form !== undefined) trip.form = form;
  const state = /[?&]state=([^&]+)/.exec(headers.location ?? '')?.[1];
  if (state !== undefined) trip.state = state;
}
