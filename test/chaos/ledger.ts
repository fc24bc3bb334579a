import type { Refresh, TokenEvent } from './token-events.js';

export type FaultKind =
  | 'server killed'
  | 'server paused'
  | 'engine connections cut'
  | 'engine connections silent'
  | 'engine connections delayed'
  | 'engine paused'
  | 'engine emptied';

/** Something that was broken on purpose, until `toMs`. */
export interface Fault {
  readonly kind: FaultKind;
  /** The server that it concerns. Absent: all of them. */
  readonly node?: string | undefined;
  readonly fromMs: number;
  /** Absent while it lasts. */
  toMs?: number | undefined;
}

export type Outcome =
  | 'answered'
  /** 503, or an error of a tool that says the same. */
  | 'unavailable'
  /** The connection broke before the answer. */
  | 'broken'
  /** The access token has expired, and another server may be refreshing it. */
  | 'not renewed'
  /** Its 2025 connection ended before the answer. */
  | 'connection ended'
  /** A login that did not come to its end. */
  | 'login not finished'
  | 'failed';

/** A request of a client, or a login with all its requests. */
export interface Call {
  readonly user: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** The server that answered, or should have. */
  readonly node?: string | undefined;
  readonly outcome: Outcome;
  /** What the client received. */
  readonly text: string;
}

export type Era = '2025' | '2026';

/** A login of a user, until it is lost or ended by the user. */
export interface Login {
  readonly user: string;
  readonly era: Era;
  /** The server of a 2025 connection. */
  readonly node?: string | undefined;
  readonly grant: string;
  readonly sinceMs: number;
}

/** The stream of a user that listens to the status of its session. */
interface Listener {
  readonly node: string | undefined;
  /** A refresh that the user was not told of yet, and whether the API has accepted its access token. */
  untold: { readonly refresh: Refresh; isUsed: boolean } | undefined;
}

/** Servers that were stopped with a request in flight. */
const STOPS: readonly FaultKind[] = ['server killed', 'server paused'];
/**
 * The minimum time before another server sends a refresh token again. A claim lasts a minute, and the request of its
 * owner comes up to five seconds after it. The rest is for a provider that is late.
 */
const SENT_AGAIN_AFTER_MS = 45_000;
/**
 * The answers of 503, and logins that come to no end, in a row that need no fault. On a busy machine the engine answers
 * too late now and then; a client repeats its call then, as `Retry-After` says, and a user the login.
 */
const MAX_REPEATS = 4;
const LISTED_VIOLATIONS = 200;

/**
 * The accounts of a run: what clients, provider and API saw, and which fault explains it. What no row of the table
 * of faults in docs/cluster.md allows is a violation.
 */
export class Ledger {
  readonly violations: string[] = [];
  readonly faults: Fault[] = [];
  readonly #logins = new Map<string, Login>();
  readonly #grants = new Map<string, string>();
  /** The refresh tokens that were sent, by their digests, and the refreshes of grants and users. */
  readonly #sent = new Map<string, Refresh[]>();
  readonly #refreshes = new Map<string, Refresh[]>();
  /** The calls of each user in a row that were answered with 503 without a fault. */
  readonly #repeats = new Map<string, number>();
  readonly #listeners = new Map<string, Listener>();
  readonly #counts = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  began(fault: Pick<Fault, 'kind' | 'node'>): Fault {
    const begun = { ...fault, fromMs: this.#now() };
    this.faults.push(begun);
    return begun;
  }

  isOver(fault: Fault): void {
    fault.toMs = this.#now();
  }

  token(event: TokenEvent): void {
    if (event.kind === 'login') this.#grants.set(event.user, event.grant);
    if (event.kind === 'use') this.#used(event.user, event.grant);
    if (event.kind !== 'refresh') return;
    if (event.isGranted) this.#toTell(event);
    this.#count('refresh tokens sent');
    this.#refreshes.set(event.grant, [...(this.#refreshes.get(event.grant) ?? []).slice(-2), event]);
    const before = this.#sent.get(event.sent) ?? [];
    this.#sent.set(event.sent, [...before, event]);
    const last = before.at(-1);
    if (last) this.#sentAgain(last, event);
  }

  #sentAgain(first: Refresh, again: Refresh): void {
    const stop = this.#faultsIn(first.atMs, again.atMs, first.node).find(({ kind }) => STOPS.includes(kind));
    const afterMs = again.atMs - first.atMs;
    const what = `server ${again.node} sent a refresh token of ${again.user} that server ${first.node} had sent ${afterMs} ms before`;
    if (!stop) this.violated(`${what}, although it was not stopped`);
    else if (afterMs < SENT_AGAIN_AFTER_MS) this.violated(`${what}, which is too early`);
    else this.#count(`refresh tokens sent twice: ${stop.kind}`);
  }

  called(call: Call): void {
    const { user, outcome } = call;
    if (outcome === 'answered') {
      this.#repeats.delete(user);
      this.#count('calls answered');
      return;
    }
    const cause = this.#causeOf(call) ?? this.#repeatOf(call);
    if (cause) this.#count(`calls ${outcome}: ${cause}`);
    else this.violated(`a call of ${user} at server ${call.node ?? '?'} was ${outcome}: ${call.text}`);
  }

  #repeatOf({ user, outcome }: Call): string | undefined {
    if (outcome !== 'unavailable' && outcome !== 'login not finished') return undefined;
    const repeats = (this.#repeats.get(user) ?? 0) + 1;
    this.#repeats.set(user, repeats);
    return repeats <= MAX_REPEATS ? 'no fault, to be repeated' : undefined;
  }

  #causeOf({ user, fromMs, toMs, node, outcome }: Call): FaultKind | undefined {
    switch (outcome) {
      case 'broken':
        return this.#faultsIn(fromMs, toMs, node).find(({ kind }) => STOPS.includes(kind))?.kind;
      case 'connection ended':
        // The session is gone, which its server notices when it reads it again.
        return this.#faultsIn(this.#logins.get(user)?.sinceMs ?? fromMs, toMs).find(
          ({ kind }) => kind === 'engine emptied',
        )?.kind;
      case 'unavailable':
        return this.#faultsIn(fromMs, toMs, node)[0]?.kind;
      case 'login not finished':
        return this.#faultsIn(fromMs, toMs)[0]?.kind;
      case 'not renewed': {
        const grant = this.#grants.get(user) ?? '';
        const since = this.#refreshes.get(grant)?.findLast(({ isGranted }) => isGranted)?.atMs ?? 0;
        return this.#faultsIn(since, toMs)[0]?.kind;
      }
      default:
        return undefined;
    }
  }

  /** A user listens to the status of its session. */
  listens(user: string, node: string | undefined): void {
    this.#listeners.set(user, { node, untold: undefined });
  }

  listensNoMore(user: string): void {
    this.#listeners.delete(user);
  }

  /** A user was told that the status of its session has changed. */
  told(user: string): void {
    this.#count('notifications');
    const listener = this.#listeners.get(user);
    if (listener) listener.untold = undefined;
  }

  /** The users that were not told of their last refresh yet. */
  get untold(): string[] {
    return [...this.#listeners].filter(([, { untold }]) => untold?.isUsed).map(([user]) => user);
  }

  /** Each refresh is told before the next one. After a fault, the next one is told, too. */
  #toTell(refresh: Refresh): void {
    const { user, grant, atMs } = refresh;
    const listener = this.#listeners.get(user);
    if (!listener || this.#logins.get(user)?.grant !== grant) return;
    const { node, untold } = listener;
    listener.untold = { refresh, isUsed: false };
    if (!untold?.isUsed) return;
    const faults = [node, untold.refresh.node].flatMap((each) =>
      this.#faultsIn(untold.refresh.atMs, atMs, each),
    );
    const [fault] = faults;
    if (fault) this.#count(`notifications late: ${fault.kind}`);
    else
      this.violated(`${user} at server ${node} was not told of the refresh by server ${untold.refresh.node}`);
  }

  /**
   * The API shows which grant a session has. The provider alone does not: a server that was paused during a login may
   * exchange its code after the user has begun another one.
   */
  #used(user: string, grant: string): void {
    this.#grants.set(user, grant);
    const login = this.#logins.get(user);
    if (login && login.grant !== grant) this.#logins.set(user, { ...login, grant });
    const untold = this.#listeners.get(user)?.untold;
    if (untold?.refresh.grant === grant) untold.isUsed = true;
  }

  /** A user has logged in. */
  loggedIn(login: Omit<Login, 'grant' | 'sinceMs'>): void {
    const grant = this.#grants.get(login.user) ?? 'unknown';
    this.#logins.set(login.user, { ...login, grant, sinceMs: this.#now() });
    this.#repeats.delete(login.user);
    this.#count('logins');
  }

  /** A user has logged out, or does not know. */
  loggedOut(user: string): void {
    this.#logins.delete(user);
    this.#count('logouts');
  }

  /** A server does not know the login of a user any more. @param text what it says */
  lost(user: string, text: string): void {
    const login = this.#logins.get(user);
    if (!login) return;
    this.#logins.delete(user);
    const cause = this.#causeOfLoss(login);
    if (cause) this.#count(`logins lost: ${cause}`);
    else this.violated(`the login of ${user} (${login.era}, grant ${login.grant}) was lost: ${text}`);
  }

  /** A server does not know a 2025 connection without a login any more. */
  connectionLost(user: string, { node, sinceMs }: Pick<Login, 'node' | 'sinceMs'>): void {
    const cause = this.#causeOfLoss({ user, era: '2025', node, grant: '', sinceMs });
    if (cause) this.#count(`connections without a login lost: ${cause}`);
    else this.violated(`the connection of ${user} at server ${node} was lost`);
  }

  #causeOfLoss({ era, node, grant, sinceMs }: Login): string | undefined {
    const since = this.#faultsIn(sinceMs, this.#now());
    if (since.some(({ kind }) => kind === 'engine emptied')) return 'engine emptied';
    if (era === '2025' && since.some((fault) => fault.kind === 'server killed' && fault.node === node))
      return 'server of a 2025 connection killed';
    const last = this.#refreshes.get(grant)?.at(-1);
    const [first, again] = this.#sent.get(last?.sent ?? '') ?? [];
    if (!first || !again) return undefined;
    const stop = this.#faultsIn(first.atMs, again.atMs, first.node).find(({ kind }) => STOPS.includes(kind));
    return stop && `answer to a refresh lost, ${stop.kind}`;
  }

  /** A server answered with the data of another user. */
  foreign(user: string, text: string): void {
    this.violated(`${user} received the data of another user: ${text}`);
  }

  violated(what: string): void {
    this.violations.push(what);
  }

  /** The logins that were there before a time, were not lost in the engine, and have sent no refresh token since. */
  notRefreshedSince(atMs: number): Login[] {
    const isEmptied = this.#faultsIn(atMs, this.#now()).some(({ kind }) => kind === 'engine emptied');
    if (isEmptied) return [];
    return [...this.#logins.values()].filter(({ grant, sinceMs }) => {
      return sinceMs <= atMs && !this.#refreshes.get(grant)?.some((refresh) => refresh.atMs > atMs);
    });
  }

  /** What is known of a login, for a violation. */
  describe({ user, era, node, sinceMs, grant }: Login): string {
    const ago = (atMs: number) => `${((this.#now() - atMs) / 1000).toFixed(1)} s ago`;
    const refreshes = (this.#refreshes.get(grant) ?? []).map(
      ({ node: by, atMs, isGranted }) => `by ${by} ${ago(atMs)}, ${isGranted ? 'granted' : 'refused'}`,
    );
    return `${user} (${era}, ${node ? `server ${node}, ` : ''}since ${ago(sinceMs)}; refreshes ${refreshes.join('; ')})`;
  }

  /** The faults that overlap a time. @param node leaves out those of other nodes */
  #faultsIn(fromMs: number, toMs: number, node?: string): Fault[] {
    return this.faults.filter((fault) => {
      const isElsewhere = node !== undefined && fault.node !== undefined && fault.node !== node;
      return !isElsewhere && fault.fromMs <= toMs && (fault.toMs ?? Number.POSITIVE_INFINITY) >= fromMs;
    });
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  /** The counts by what they count, and the violations. */
  toString(): string {
    const faults = new Map<string, number>();
    for (const { kind } of this.faults) faults.set(kind, (faults.get(kind) ?? 0) + 1);
    const lines = [...faults].map(([kind, times]) => `fault, ${kind}: ${times}`).sort();
    lines.push(...[...this.#counts].map(([what, times]) => `${what}: ${times}`).sort());
    lines.push(...this.violations.slice(0, LISTED_VIOLATIONS).map((violation) => `VIOLATION: ${violation}`));
    return lines.join('\n');
  }
}
