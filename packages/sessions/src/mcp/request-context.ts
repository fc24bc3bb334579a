import { AsyncLocalStorage } from 'node:async_hooks';
import type { Accounts } from '../account/accounts.js';
import { LiveSession, type Session, unnamedSession } from '../account/session.js';
import type { SessionFetch } from '../account/session-fetch.js';
import { SessionError } from '../errors.js';
import type { SessionId } from '../session/ids.js';
import type { EndReason, SessionRecord } from '../session/session-record.js';

/** Which revisions a request speaks: those up to 2025-11-25 have sessions, 2026-07-28 has none. */
export type Era = '2025' | '2026';

/** The session that a request named, as it stood when the request came in. */
export type NamedSession =
  | {
      readonly state: 'live';
      readonly record: SessionRecord;
      /** The handle that named it; none for a 2025 connection. */
      readonly handle: SessionId | undefined;
    }
  | { readonly state: 'ended'; readonly reason: EndReason }
  | { readonly state: 'unknown' }
  | { readonly state: 'none' };

/** What is known of a request before the protocol sees it. */
export interface RequestContext {
  readonly era: Era;
  readonly named: NamedSession;
  /** The tool it calls, if it calls one. */
  readonly toolName: string | undefined;
  /** Whether it came over loopback and nothing else. */
  readonly isLoopback: boolean;
}

/** How tools reach the session of the request they serve. */
export interface CurrentSession {
  /** The session of the request at hand. @throws SessionError `no_request` outside of one. */
  current(): Session;
}

/** Carries the context of each request to whatever serves it, however many are served at the same time. */
export class RequestContexts implements CurrentSession {
  readonly #storage = new AsyncLocalStorage<RequestContext>();
  readonly #accounts: Accounts;
  readonly #fetch: SessionFetch;
  readonly #defaultProvider: string;

  constructor(accounts: Accounts, fetch: SessionFetch, defaultProvider: string) {
    this.#accounts = accounts;
    this.#fetch = fetch;
    this.#defaultProvider = defaultProvider;
  }

  run<T>(context: RequestContext, serve: () => T): T {
    return this.#storage.run(context, serve);
  }

  /** @throws SessionError `no_request` */
  get(): RequestContext {
    const context = this.#storage.getStore();
    if (context) return context;
    throw new SessionError('no_request', 'There is no request here. Ask for the session while a tool runs.');
  }

  current(): Session {
    const { named } = this.get();
    if (named.state !== 'live') return unnamedSession;
    const { ref, epoch } = named.record;
    return new LiveSession({ ref, epoch }, this.#accounts, this.#fetch, this.#defaultProvider);
  }
}
