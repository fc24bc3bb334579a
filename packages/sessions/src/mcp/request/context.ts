import { AsyncLocalStorage } from 'node:async_hooks';
import { ProtocolError } from '@modelcontextprotocol/server';
import type { Principal, RequestOrigin } from '../../access/access.js';
import type { Accounts } from '../../account/accounts.js';
import type { SessionFetch } from '../../account/session-fetch.js';
import { SessionError } from '../../errors.js';
import type { ClientKey } from '../../limits/client-key.js';
import { sessionRequired } from '../../session/account-errors.js';
import { ErrorCode } from '../wire/error-response.js';
import { type LoginRequirement, type ToolHandler, withLoginRequirement } from './login-requirement.js';
import { type ResolvedSession, refusalOf } from './resolved-session.js';
import { LiveSession, refusingSession, type Session } from './session.js';
import { type CalledTool, SESSION_META_KEY } from './session-argument.js';

/** Which revisions a request speaks: those up to 2025-11-25 have sessions, 2026-07-28 has none. */
export type Era = '2025' | '2026';

/** What is known of a request before the protocol sees it. */
export interface RequestContext extends CalledTool {
  readonly era: Era;
  readonly named: ResolvedSession;
  readonly origin: RequestOrigin;
  /** The address that it counts for; absent for this machine's, and where it is not known. */
  readonly clientKey: ClientKey | undefined;
  /** Who is calling; nobody says so in open access. */
  readonly principal: Principal | undefined;
}

/** How tools reach the session of the request they serve. */
export interface ToolContext {
  /** The session of the request at hand. @throws SessionError `no_request` outside of one. */
  session(): Session;
  /**
   * Wraps the handler of a tool, resource or prompt so that it runs only if a user is logged in. Otherwise the answer
   * tells the client what to do. If the client opens links itself (URL elicitation, 2026-07-28), the call of a tool
   * waits for the login and then runs the handler, once.
   */
  requireLogin<Handler extends ToolHandler>(handler: Handler, need?: LoginRequirement): Handler;
}

/** Only tools have an argument for the session. */
const SESSION_REQUIRED_BY_REQUEST = `This request names no session. Call the \`login\` tool first; then send the \`session\` that it returns in \`_meta\`, as \`${SESSION_META_KEY}\`.`;

/** Carries the context of each request to whatever serves it, however many are served at the same time. */
export class RequestContexts implements ToolContext {
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

  /** Runs what no request is the reason for, whoever set it off. */
  outside(run: () => void): void {
    this.#storage.exit(run);
  }

  /** The request at hand, if there is one. */
  peek(): RequestContext | undefined {
    return this.#storage.getStore();
  }

  /** @throws SessionError `no_request` */
  get(): RequestContext {
    const context = this.peek();
    if (context) return context;
    throw new SessionError('no_request', 'There is no request here. Ask for the session while a tool runs.');
  }

  requireLogin<Handler extends ToolHandler>(handler: Handler, need: LoginRequirement = {}): Handler {
    return withLoginRequirement(handler, need, () =>
      this.#assertLoggedIn(need.provider ?? this.#defaultProvider),
    );
  }

  /** @throws SessionError if no user is logged in at the provider; the message says what to do */
  async #assertLoggedIn(provider: string): Promise<void> {
    const { named, toolName } = this.get();
    const missing = toolName === undefined ? SESSION_REQUIRED_BY_REQUEST : sessionRequired().message;
    const refusal = named.state === 'none' ? missing : refusalOf(named, false);
    try {
      if (refusal !== undefined) throw new SessionError('login_required', refusal);
      if (named.state === 'live') await this.#accounts.assertLoggedIn(named.record, provider);
    } catch (error) {
      if (toolName !== undefined || !(error instanceof SessionError)) throw error;
      throw new ProtocolError(ErrorCode.sessionRequired, error.message);
    }
  }

  session(): Session {
    const { named } = this.get();
    if (named.state === 'none') return refusingSession(sessionRequired());
    const refusal = refusalOf(named, false);
    if (refusal !== undefined) return refusingSession(new SessionError('login_required', refusal));
    if (named.state !== 'live') throw new Error('Only a live session is not refused.');
    const { ref, epoch } = named.record;
    return new LiveSession({ ref, epoch }, this.#accounts, this.#fetch, this.#defaultProvider);
  }
}
