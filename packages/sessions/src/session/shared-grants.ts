import type { DisposedAccount } from './disposal.js';
import type { SessionRef } from './ids.js';
import type { InternalEvent } from './session-events.js';
import { type AccountRecord, accountKeyOf } from './session-record.js';
import type { SessionRegistry } from './session-registry.js';

/** An account of one session. */
interface Login {
  readonly generation: number;
  /** The session has ended, and its account is on the way to another one. */
  readonly isMoving: boolean;
}

/**
 * The logins of each user, for providers that keep one grant for a user and a client: revoking the tokens of one login
 * ends the tokens of all of them.
 */
export class SharedGrants {
  readonly #registry: Pick<SessionRegistry, 'get' | 'has'>;
  readonly #providers: ReadonlySet<string>;
  /** By account, then by session. */
  readonly #logins = new Map<string, Map<SessionRef, Login>>();
  readonly #accountsOf = new Map<SessionRef, Set<string>>();

  /** @param providers the names of the providers with one grant for a user */
  constructor(registry: Pick<SessionRegistry, 'get' | 'has'>, providers: ReadonlySet<string>) {
    this.#registry = registry;
    this.#providers = providers;
  }

  /** Follows an event. Call it for each one. */
  handleEvent(event: InternalEvent): void {
    switch (event.type) {
      case 'account.moved':
        this.#endMove(accountKeyOf(event), event.generation);
        this.#add(event);
        return;
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
        for (const key of this.#accountsOf.get(event.ref) ?? []) {
          if (event.reason === 'replaced') this.#beginMove(key, event.ref);
          else this.#delete(key, event.ref);
        }
        return;
      default:
    }
  }

  /** Whether another login of the user is alive in any session: revoking these tokens could end it. */
  async isShared(ref: SessionRef, account: DisposedAccount & { readonly subject: string }): Promise<boolean> {
    const key = accountKeyOf(account);
    // A promotion that fails disposes of the account in the old session, or in the new one, which never had it.
    const own = this.#logins.get(key)?.get(ref);
    if (own?.isMoving) this.#delete(key, ref);
    else if (!own && account.generation !== undefined) this.#endMove(key, account.generation);
    for (const [other, login] of this.#logins.get(key) ?? []) {
      const isOwn = other === ref && login.generation <= (account.generation ?? -1);
      if (!isOwn && (login.isMoving || (await this.#isAlive(other, account)))) return true;
    }
    return false;
  }

  /** The number of logins that are known. */
  get size(): number {
    let size = 0;
    for (const logins of this.#logins.values()) size += logins.size;
    return size;
  }

  #add(
    event: { readonly ref: SessionRef } & Pick<AccountRecord, 'provider' | 'subject' | 'generation'>,
  ): void {
    const { ref, generation } = event;
    // A session that has ended in the meantime emits no more events, so its entry would stay.
    if (!this.#providers.has(event.provider) || !this.#registry.has(ref)) return;
    const key = accountKeyOf(event);
    const logins = this.#logins.get(key) ?? new Map<SessionRef, Login>();
    this.#logins.set(key, logins.set(ref, { generation, isMoving: false }));
    this.#accountsOf.set(ref, (this.#accountsOf.get(ref) ?? new Set()).add(key));
  }

  #beginMove(key: string, ref: SessionRef): void {
    const logins = this.#logins.get(key);
    const login = logins?.get(ref);
    if (login) logins?.set(ref, { ...login, isMoving: true });
  }

  /** A promotion keeps the generation. */
  #endMove(key: string, generation: number): void {
    for (const [ref, login] of this.#logins.get(key) ?? []) {
      if (!login.isMoving || login.generation !== generation) continue;
      this.#delete(key, ref);
      return;
    }
  }

  /** An event can come after that of a later change. Without the store, no login is at risk. */
  async #isAlive(ref: SessionRef, account: Pick<AccountRecord, 'provider' | 'subject'>): Promise<boolean> {
    const record = await this.#registry.get(ref).catch(() => 'unknown' as const);
    if (record === 'unknown') return true;
    const current = record?.accounts[account.provider];
    return current?.subject === account.subject && current.state === 'authenticated';
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
