import type { Tokens } from './access-tokens.js';
import { handleIn, linkIn, requestStateIn } from './answer-reading.js';
import {
  type Blueprint,
  type Header,
  LOGIN_SLOTS,
  type Placeholder,
  resolvePlaceholders,
  SLOTS,
  type Way,
} from './blueprint.js';
import type { Answer } from './client.js';
import { PendingLogin } from './pending-login.js';
import { RingBuffer } from './ring-buffer.js';

/** A temporary session that another one replaced. */
export type Displaced = { readonly kind: 'connection' | 'session'; readonly id: string };

/** A request with its values, and the function that reads its response. */
export interface OpenedRequest {
  readonly request: Blueprint;
  readonly learn: (answer: Answer) => Displaced[];
}

/** The value of a placeholder without a known value: an id that does not exist. */
const UNKNOWN = '0'.repeat(43);
/** The default login. */
const PLAIN: Way = { tool: 'login', provider: 'main', flow: 'link' };

/** The newest ids, links and request states that the server has issued. */
export class KnownValues {
  readonly #members: readonly string[];
  readonly #origin: string;
  readonly #tokens: Tokens | undefined;
  /** The guests of temporary connections. */
  readonly #holders = new Map<string, number>();
  readonly #connections: RingBuffer<string> = new RingBuffer(SLOTS);
  readonly #sessions: RingBuffer<string> = new RingBuffer(SLOTS);
  readonly #requestStates: RingBuffer<string> = new RingBuffer(SLOTS);
  readonly #events: RingBuffer<string> = new RingBuffer(SLOTS);
  readonly #pendingLogins: (PendingLogin | undefined)[] = Array.from(
    { length: LOGIN_SLOTS },
    () => undefined,
  );

  /** @param tokens the access tokens of requests; `undefined` in open access */
  constructor(origin: string, members: readonly string[], tokens?: Tokens) {
    this.#origin = origin;
    this.#tokens = tokens;
    this.#members = members;
  }

  /** All known temporary sessions. */
  get temporarySessions(): Displaced[] {
    const own = this.#pendingLogins.flatMap((pendingLogin) => pendingLogin?.connection ?? []);
    return [
      ...[...this.#connections.entries, ...own].map((id) => ({ kind: 'connection', id }) as const),
      ...this.#sessions.entries.map((id) => ({ kind: 'session', id }) as const),
    ];
  }

  open(blueprint: Blueprint): OpenedRequest {
    const pendingLogin =
      blueprint.pendingLogin === undefined ? undefined : this.#pendingLogins[blueprint.pendingLogin];
    const isUnderWay = pendingLogin !== undefined && !pendingLogin.isOver;
    const step = isUnderWay ? blueprint.steps?.[pendingLogin.next(blueprint.isEager ?? false)] : undefined;
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
    const isOwn = guest === undefined || guest === blueprint.pendingLogin;
    const own = isUnderWay && isOwn ? pendingLogin : undefined;
    own?.leave(isHeld);
    const learn = (answer: Answer) => {
      own?.arrive(isHeld, answer);
      const started = answer.headers['mcp-session-id'];
      if (guest !== undefined && typeof started === 'string') this.#holders.set(started, guest);
      // With a connection of another guest, the response is about the login of that guest.
      const { begins, ...other } = request;
      return this.#learn(isOwn && begins ? { ...other, begins } : other, own, answer);
    };
    return { request, learn };
  }

  /** The access token of a request as a header, and its guest. */
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
    // Mutated texts may contain any name.
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
        return this.#pendingLogins[slot]?.link ?? `/connect/${UNKNOWN}`;
      case 'requestState':
        return this.#requestStates.at(slot);
      case 'event':
        return this.#events.at(slot);
      case 'origin':
        return this.#origin;
      case 'host':
        return this.#origin.replace('http://', '');
      default:
        return this.#pendingLogins[slot]?.known(name);
    }
  }

  #learn(request: Blueprint, pendingLogin: PendingLogin | undefined, answer: Answer): Displaced[] {
    const { status, headers, text } = answer;
    const ended = pendingLogin?.isOver ? this.#retire(pendingLogin) : [];
    if (status !== 200) return ended;
    const requestState = requestStateIn(text);
    if (requestState !== undefined) this.#requestStates.add(requestState);
    const event = request.owner === undefined ? /^id: (.+)$/m.exec(text)?.[1] : undefined;
    if (event !== undefined) this.#events.add(event);
    if (pendingLogin) return ended;
    const id = headers['mcp-session-id'];
    const connection = typeof id === 'string' ? id : undefined;
    if (request.begins) return this.#begin(request.pendingLogin ?? 0, request.begins, connection, answer);
    const handle = handleIn(text);
    this.#adopt(request, handle, answer);
    return [
      ...this.#keep('connection', this.#connections, connection),
      ...(text.includes('"status":"authenticated"') ? this.#keep('session', this.#sessions, handle) : []),
    ];
  }

  /** Notes a login that a request started. It replaces the login in its slot. */
  #begin(slot: number, way: Way, connection: string | undefined, answer: Answer): Displaced[] {
    const { text } = answer;
    const handle = handleIn(text);
    const state = requestStateIn(text);
    const displaced = this.#pendingLogins[slot];
    if (connection !== undefined)
      this.#pendingLogins[slot] = new PendingLogin(way, { kind: 'connection', id: connection }, answer);
    else if (state !== undefined)
      this.#pendingLogins[slot] = new PendingLogin(way, { kind: 'round', state }, answer);
    else if (handle !== undefined)
      this.#pendingLogins[slot] = new PendingLogin(way, { kind: 'handle', id: handle }, answer);
    else return [];
    return displaced && !displaced.isOver ? this.#retire(displaced) : [];
  }

  /**
   * Notes a login that another request started, if there is a free slot and its session is new. With access tokens each
   * slot has a guest of its own, so none fits.
   */
  #adopt({ cutMs, body = '' }: Blueprint, handle: string | undefined, answer: Answer): void {
    if (this.#tokens) return;
    // A call that the client abandons would lead to an unknown session, and an older session may have
    // another login.
    if (handle === undefined || cutMs !== undefined || body.includes(handle)) return;
    const free = this.#pendingLogins.findIndex(
      (pendingLogin) => pendingLogin === undefined || pendingLogin.isOver,
    );
    if (free === -1 || linkIn(answer.text) === undefined) return;
    this.#pendingLogins[free] = new PendingLogin(PLAIN, { kind: 'handle', id: handle }, answer);
  }

  /** Keeps the connection and session of a login that ended. */
  #retire({ connection, session }: PendingLogin): Displaced[] {
    return [
      ...this.#keep('connection', this.#connections, connection),
      ...this.#keep('session', this.#sessions, session),
    ];
  }

  #keep(kind: Displaced['kind'], ids: RingBuffer<string>, id: string | undefined): Displaced[] {
    if (id === undefined || this.#members.includes(id) || ids.entries.includes(id)) return [];
    const displaced = ids.add(id);
    return displaced === undefined ? [] : [{ kind, id: displaced }];
  }
}
