import { isInputRequiredResult, type ServerContext, type ServerOptions } from '@modelcontextprotocol/server';
import { SessionError } from '../../errors.js';
import type { SessionSnapshot } from '../../session/session-record.js';
import { isSameDigest } from '../../vault/secret-digest.js';
import { withRequestState } from './call-context.js';
import type { RequestContexts } from './context.js';
import { withoutSessionArgument } from './session-argument.js';

export interface BoundStatesOptions {
  readonly contexts: RequestContexts;
  /** The public id of a session, which changes with each sign-out. */
  readonly idOf: (session: SessionSnapshot) => string;
  /** A message authentication code in base64url. */
  readonly macOf: (...fields: readonly string[]) => string;
  /** Called with the author's own state. */
  readonly verify: NonNullable<NonNullable<ServerOptions['requestState']>['verify']>;
}

/** In place of a state that is valid, but of another session or of a user who was signed out. */
export const STALE_STATE: unique symbol = Symbol('stale request state');
export const STALE_STATE_TEXT =
  'This call began in another session, or before its user was signed out, so it was not continued. Repeat the call from the beginning.';

/** Prefix, public id or nothing, message authentication code, and the author's state. */
const FORM = /^session\.([\w-]*)\.([\w-]{43})\.(.*)$/s;

/**
 * Binds the `requestState` of the author's tools, resources and prompts to the session: after a sign-out, or the login
 * of another user, it is stale. It is also bound to the tool and its arguments. The client can read it. In the 2025 era
 * states do not leave the server, so they are not bound.
 */
export class BoundStates {
  readonly #options: BoundStatesOptions;

  constructor(options: BoundStatesOptions) {
    this.#options = options;
  }

  /** The result of a handler, with its state bound to the session of the current request. */
  bind<T>(result: T): T {
    if (this.#options.contexts.get().era !== '2026' || !isInputRequiredResult(result)) return result;
    const { requestState: state } = result;
    if (typeof state !== 'string') return result;
    const session = this.#session();
    return { ...result, requestState: `session.${session}.${this.#mac(session, state)}.${state}` };
  }

  /**
   * The author's state, as the author's own check returns it, or `STALE_STATE`.
   * @throws SessionError if the state is not one that `bind` has returned; also the errors of the author's check
   */
  async verify(state: string, protocol: ServerContext): Promise<unknown> {
    const { contexts, verify } = this.#options;
    if (contexts.get().era !== '2026') return verify(state, protocol);
    const [, session = '', mac = '', own = ''] = FORM.exec(state) ?? [];
    if (!isSameDigest(mac, this.#mac(session, own))) {
      throw new SessionError('login_failed', 'The requestState is invalid. Call the tool again without it.');
    }
    if (session !== this.#session()) return STALE_STATE;
    return (await verify(own, withRequestState(protocol, own))) ?? own;
  }

  /** The public id of the session of the current request; empty without one. */
  #session(): string {
    const { resolved } = this.#options.contexts.get();
    return resolved.state === 'live' ? this.#options.idOf(resolved.record) : '';
  }

  #mac(session: string, state: string): string {
    const { toolName = '', toolArguments } = this.#options.contexts.get();
    const given = JSON.stringify(withoutSessionArgument(toolArguments) ?? null);
    return this.#options.macOf(session, toolName, given, state);
  }
}
