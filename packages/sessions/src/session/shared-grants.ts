import { andThen, handled } from '../time/promises.js';
import type { DisposedAccount, MayRevoke } from './disposal.js';
import type { SessionRef } from './ids.js';
import type { InternalEvent } from './session-events.js';
import { type AccountRecord, accountKeyOf } from './session-record.js';
import type { SessionRegistry } from './session-registry.js';

/** The accounts of a session that ends are on the way to another session. */
interface Move {
  readonly from: SessionRef;
  to: SessionRef | undefined;
}

/** A login that has tokens, and whose account is in no session yet. */
export interface GrantHold {
  /** The session may have the account from now on, with tokens of this generation. */
  commitAs(generation: number): void;
  /** Ends the hold: a session has the account, or the tokens are disposed of. */
  release(): void;
}

/**
 * The logins of each user, for providers that keep one grant for a user and a client: revoking the tokens of one login
 * ends the tokens of all of them.
 */
export class SharedGrants {
  readonly #registry: Pick<SessionRegistry, 'get' | 'has'>;
  readonly #providers: ReadonlySet<string>;
  /** The generations of the token sets, by account, then by session. */
  readonly #logins = new Map<string, Map<SessionRef, number>>();
  readonly #accountsOf = new Map<SessionRef, Set<string>>();
  readonly #moves = new Set<Move>();
  readonly #held = new Map<string, Set<{ readonly ref: SessionRef; generation: number }>>();

  /** @param providers the names of the providers with one grant for a user */
  constructor(registry: Pick<SessionRegistry, 'get' | 'has'>, providers: ReadonlySet<string>) {
    this.#registry = registry;
    this.#providers = providers;
  }

  /** Follows an event. Call it for each one. */
  handleEvent(event: InternalEvent): void {
    switch (event.type) {
      case 'account.moved':
      case 'account.authenticated':
      case 'account.refreshed':
        this.#add(event);
        return;
      case 'account.removed':
      case 'account.reauthentication_required':
        this.#delete(accountKeyOf(event), event.ref);
        return;
      case 'session.signed_out':
      case 'session.ended':
        if (!this.#isMoving(event.ref)) this.#deleteAll(event.ref);
        return;
      default:
    }
  }

  /** Keeps a grant in use while a login waits for its confirmation code, and while it is being committed. */
  hold(ref: SessionRef, account: Pick<AccountRecord, 'provider' | 'subject'>): GrantHold | undefined {
    if (!this.#providers.has(account.provider)) return undefined;
    const key = accountKeyOf(account);
    const held = { ref, generation: Number.POSITIVE_INFINITY };
    this.#held.set(key, (this.#held.get(key) ?? new Set()).add(held));
    return {
      commitAs: (generation) => {
        held.generation = generation;
      },
      release: () => {
        const others = this.#held.get(key);
        others?.delete(held);
        if (others?.size === 0) this.#held.delete(key);
      },
    };
  }

  /** Whether tokens may be revoked: revoking them ends no other login. Those of an unknown user may not. */
  readonly mayRevoke: MayRevoke = async ({ ref }, { subject, ...account }) => {
    if (!this.#providers.has(account.provider)) return true;
    return subject !== undefined && !(await this.isShared(ref, { ...account, subject }));
  };

  /** The accounts of a session are in use until they are in another session (`endMove`), although the session ends. */
  beginMove(from: SessionRef): Move {
    const move = { from, to: undefined };
    this.#moves.add(move);
    return move;
  }

  /** Another session has the accounts, or they are about to be disposed of. */
  endMove(move: Move): void {
    this.#moves.delete(move);
    this.#unlessPresent(move.from, () => {
      if (!this.#isMoving(move.from)) this.#deleteAll(move.from);
    });
  }

  /** Whether another login of the user is alive: revoking these tokens could end it. */
  async isShared(ref: SessionRef, account: DisposedAccount & { readonly subject: string }): Promise<boolean> {
    const key = accountKeyOf(account);
    const isOther = (other: SessionRef, generation: number) => {
      const isSame = other === ref || [...this.#moves].some(({ from, to }) => from === other && to === ref);
      return !isSame || generation > (account.generation ?? -1);
    };
    // Logins come and go while the store is asked, so the last round asks nothing.
    const ended = new Map<SessionRef, number>();
    for (;;) {
      if ([...(this.#held.get(key) ?? [])].some((held) => isOther(held.ref, held.generation))) return true;
      const logins = [...(this.#logins.get(key) ?? [])];
      const next = logins.find((login) => isOther(...login) && ended.get(login[0]) !== login[1]);
      if (!next) return false;
      const [other, generation] = next;
      if (this.#isMoving(other) || (await this.#isAlive(other, account))) return true;
      ended.set(other, generation);
    }
  }

  /** The number of logins that are known. */
  get size(): number {
    let size = 0;
    for (const logins of [...this.#logins.values(), ...this.#held.values()]) size += logins.size;
    return size;
  }

  #add(
    event: { readonly ref: SessionRef } & Pick<AccountRecord, 'provider' | 'subject' | 'generation'>,
  ): void {
    const { ref, generation } = event;
    if (!this.#providers.has(event.provider)) return;
    const key = accountKeyOf(event);
    const logins = this.#logins.get(key) ?? new Map<SessionRef, number>();
    this.#logins.set(key, logins.set(ref, generation));
    this.#accountsOf.set(ref, (this.#accountsOf.get(ref) ?? new Set()).add(key));
    // A session that has ended in the meantime emits no more events, so its entry would stay.
    this.#unlessPresent(ref, () => this.#delete(key, ref));
  }

  /** Without the store, no login is at risk. */
  #unlessPresent(ref: SessionRef, run: () => void): void {
    const done = andThen(this.#registry.has(ref), (isPresent) => {
      if (!isPresent) run();
    });
    if (done instanceof Promise) void handled(done);
  }

  #isMoving(ref: SessionRef): boolean {
    return [...this.#moves].some(({ from }) => from === ref);
  }

  /** An event can come after that of a later change. Without the store, no login is at risk. */
  async #isAlive(ref: SessionRef, account: Pick<AccountRecord, 'provider' | 'subject'>): Promise<boolean> {
    try {
      const current = (await this.#registry.get(ref))?.accounts[account.provider];
      return current?.subject === account.subject && current.state === 'authenticated';
    } catch {
      return true;
    }
  }

  #deleteAll(ref: SessionRef): void {
    for (const key of this.#accountsOf.get(ref) ?? []) this.#delete(key, ref);
  }

  #delete(key: string, ref: SessionRef): void {
    const logins = this.#logins.get(key);
    logins?.delete(ref);
    if (logins?.size === 0) this.#logins.delete(key);
    const accounts = this.#accountsOf.get(ref);
    accounts?.delete(key);
    if (accounts?.size === 0) this.#accountsOf.delete(ref);
  }
}
