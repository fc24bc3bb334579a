import { AsyncLocalStorage } from 'node:async_hooks';
import { ProtocolError, type ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Principal, RequestOrigin } from '../../access/access.js';
import type { GivenTokens } from '../../account/session-fetch.js';
import { SessionError } from '../../errors.js';
import type { ClientKey } from '../../limits/client-key.js';
import { parseOptions, SCOPE_TOKEN } from '../../parse-options.js';
import { sessionRequired } from '../../session/account-errors.js';
import type { SessionRef } from '../../session/ids.js';
import { snapshotOf } from '../../session/session-record.js';
import type { Operation } from '../../telemetry/operation.js';
import type { MaybePromise } from '../../time/promises.js';
import { ErrorCode } from '../wire/error-response.js';
import { type LoginRequirement, type RequestHandler, withLoginRequirement } from './login-requirement.js';
import { type ResolvedSession, refusalOf } from './resolved-session.js';
import {
  liveSession,
  ResourceUpdates,
  refusingSession,
  type Session,
  type SessionServices,
} from './session.js';
import { type CalledTool, SESSION_META_KEY } from './session-argument.js';

/** The protocol era of a request: `2025` has protocol sessions (up to 2025-11-25), `2026` has none (2026-07-28). */
export type Era = '2025' | '2026';

/** What is known of a request before the SDK handles it. */
export interface RequestContext extends CalledTool {
  readonly era: Era;
  /** The session that the request names. */
  readonly resolved: ResolvedSession;
  readonly origin: RequestOrigin;
  /** The address that the request counts for; absent for clients on this machine, and if it is not known. */
  readonly clientKey: ClientKey | undefined;
  /** The authenticated caller; absent in open access. */
  readonly principal: Principal | undefined;
  /** The provider of `requireLogin`, while a handler that requires a login runs. */
  readonly requiredProvider?: string | undefined;
  /** The token sets that this request was given. */
  readonly given?: GivenTokens | undefined;
  /** The run of the called tool, from when the SDK takes it over. The tool does not run again. */
  running?:
    | {
        /** Gives it the context of the SDK. @returns what the tool returns */
        resume(context: ServerContext): Promise<unknown>;
        /** Notes that the SDK will not give it a context, or has done so. */
        drop(): void;
      }
    | undefined;
  /** What the methods of a server object say of the client, if no server object serves the request. */
  readonly client?: Readonly<Record<string, unknown>> | undefined;
  /** Measures how the request is served. Absent without telemetry. */
  readonly operation?: Operation | undefined;
}

/** The reference of the session that a request names, if it is live. */
export function liveRefOf({ resolved }: Pick<RequestContext, 'resolved'>): SessionRef | undefined {
  return resolved.state === 'live' ? resolved.record.ref : undefined;
}

/**
 * Gives tools, resources and prompts access to the session of the request that they handle. `ProviderName`: the names
 * of the configured providers.
 */
export interface ToolContext<ProviderName extends string = string> {
  /**
   * The session of the current request. Call it in a handler, for each request: do not keep the session for later
   * requests.
   * @throws SessionError `no_request` outside of a request
   */
  session(): Session<ProviderName>;
  /**
   * Wraps the handler of a tool, resource or prompt so that it runs only if a user is logged in. Without a login, the
   * call is answered with a text that tells the model to call `login`. If the client opens links itself (URL
   * elicitation, revision 2026-07-28), the call of a tool waits for the login and then runs the handler, once.
   * @throws SessionError `configuration` if the requirement is invalid, if there is no provider of that name, or if a
   * scope is new after `createSessions` has run `tools`
   */
  requireLogin<T extends RequestHandler>(handler: T, requirement?: LoginRequirement<ProviderName>): T;
}

const requirementSchema = z.strictObject({
  provider: z.string().optional(),
  scopes: z.array(z.string().regex(SCOPE_TOKEN, 'is not a scope token (RFC 6749 section 3.3)')).optional(),
} satisfies Record<keyof LoginRequirement, z.ZodType>);

export interface RequestContextsOptions extends Omit<SessionServices, 'resourceUpdates'> {
  /** The names of the providers; the first is the default. */
  readonly providers: readonly [string, ...string[]];
}

/** The error of requests without arguments: resources and prompts. */
const SESSION_REQUIRED_IN_META = `This request names no session. Call the \`login\` tool first. Then send the \`session\` that it returns in \`_meta\`, as \`${SESSION_META_KEY}\`.`;

/** Carries the context of each request through the calls that handle it. */
export class RequestContexts implements ToolContext {
  readonly #storage = new AsyncLocalStorage<RequestContext>();
  readonly #options: RequestContextsOptions;
  readonly #services: SessionServices;
  /** The scopes that handlers require at each provider. */
  readonly #requiredScopes = new Map<string, Set<string>>();
  #isComplete = false;
  #isClosed = false;
  /** Changes of resources that handlers or the server announce. */
  readonly resourceUpdates: ResourceUpdates = new ResourceUpdates();

  constructor(options: RequestContextsOptions) {
    this.#options = options;
    this.#services = { ...options, resourceUpdates: this.resourceUpdates };
  }

  /** The scopes that handlers require at a provider. A login may request no others besides the configured ones. */
  requiredScopesAt(provider: string): ReadonlySet<string> {
    return this.#requiredScopes.get(provider) ?? new Set();
  }

  /** From now on, `requireLogin` takes no scopes that it has not had before: `login` lists the others. */
  completeScopes(): void {
    this.#isComplete = true;
  }

  run<T>(context: RequestContext, handle: () => T): T {
    return this.#storage.run(context.given ? context : { ...context, given: new Map() }, handle);
  }

  /** Runs a function outside of any request. */
  outside<T>(run: () => T): T {
    return this.#storage.exit(run);
  }

  /**
   * Ends: a handler that is still running has no request any more. Node 20 keeps a storage that is not disabled, and
   * slows every promise of the process down for each one.
   */
  close(): void {
    this.#isClosed = true;
    this.#storage.disable();
  }

  /** The context of the current request, if there is one. */
  peek(): RequestContext | undefined {
    // A newer Node restores the context of a handler that waited, although the storage is disabled.
    return this.#isClosed ? undefined : this.#storage.getStore();
  }

  /** @throws SessionError `no_request` */
  get(): RequestContext {
    const context = this.peek();
    if (context) return context;
    throw new SessionError(
      'no_request',
      this.#isClosed
        ? 'The server is closed, and the request has ended.'
        : 'No request is being handled. Call `context.session()` in a handler, while it runs.',
    );
  }

  requireLogin<T extends RequestHandler>(handler: T, requirement: LoginRequirement = {}): T {
    const { providers } = this.#options;
    if (typeof handler !== 'function') {
      throw new SessionError('configuration', 'The first argument of `requireLogin` must be the handler.');
    }
    const { provider = providers[0], scopes = [] } = parseOptions(
      requirementSchema,
      requirement,
      'The options of `requireLogin` are invalid',
    );
    if (!providers.includes(provider)) {
      throw new SessionError(
        'configuration',
        `\`requireLogin\` names the provider "${provider}", which is not configured. Use one of: ${providers.join(', ')}.`,
      );
    }
    for (const scope of scopes) this.#requireScope(provider, scope);
    const guarded = async (...parameters: never[]) => {
      const checked = this.#assertLoggedIn(provider, scopes);
      // Each promise costs more while a storage is in use.
      if (checked instanceof Promise) await checked;
      const context = this.get();
      if (context.requiredProvider === provider) return handler(...parameters);
      return this.run({ ...context, requiredProvider: provider }, () => handler(...parameters));
    };
    // It takes the same arguments and returns the same result, as a promise.
    return withLoginRequirement(guarded as unknown as T, { provider, scopes });
  }

  #requireScope(provider: string, scope: string): void {
    const required = this.#requiredScopes.get(provider) ?? new Set();
    if (this.#isComplete && !required.has(scope)) {
      throw new SessionError(
        'configuration',
        `\`requireLogin\` has the new scope "${scope}" at the provider "${provider}", which \`login\` cannot request any more. Wrap a handler with it when \`createSessions\` runs \`tools\`.`,
      );
    }
    this.#requiredScopes.set(provider, required.add(scope));
  }

  /** @throws SessionError or ProtocolError if no user is logged in at the provider; the message says what to do */
  #assertLoggedIn(provider: string, scopes: readonly string[]): MaybePromise<void> {
    const { resolved, toolName } = this.get();
    const fail = (error: unknown): never => {
      if (toolName !== undefined || !(error instanceof SessionError)) throw error;
      throw new ProtocolError(ErrorCode.sessionRequired, error.message);
    };
    try {
      if (resolved.state === 'none')
        throw toolName === undefined
          ? new SessionError('login_required', SESSION_REQUIRED_IN_META)
          : sessionRequired();
      const refusal = refusalOf(resolved, false);
      if (refusal !== undefined) throw new SessionError('login_required', refusal);
      if (resolved.state !== 'live') return undefined;
      const checked = this.#options.accounts.assertLoggedIn(resolved.record, provider, scopes);
      return checked instanceof Promise ? checked.catch(fail) : undefined;
    } catch (error) {
      return fail(error);
    }
  }

  session(): Session {
    const { resolved, requiredProvider, given = new Map() } = this.get();
    if (resolved.state === 'none') return refusingSession(sessionRequired());
    const refusal = refusalOf(resolved, false);
    if (refusal !== undefined) return refusingSession(new SessionError('login_required', refusal));
    if (resolved.state !== 'live') throw new Error('Only a live session is not refused.');
    const { providers } = this.#options;
    return liveSession(snapshotOf(resolved.record), this.#services, {
      required: requiredProvider,
      all: providers,
      given,
    });
  }
}
