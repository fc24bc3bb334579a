import {
  type Implementation,
  McpServer,
  type ServerCapabilities,
  type ServerOptions,
} from '@modelcontextprotocol/server';
import { SessionError } from '../../errors.js';
import type { OpenBrowser } from '../../login/browser/open-browser.js';
import { isThenable } from '../../time/promises.js';
import type { RequestContexts, ToolContext } from '../request/context.js';
import { CALL_BYTES } from '../request/kept-limits.js';
import type { RequestStates } from '../request/request-state.js';
import { LoginRounds } from '../tools/login/elicitation.js';
import { type Elicitation, ElicitationPolicy } from '../tools/login/elicitation-policy.js';
import { type LoginToolOptions, registerLoginTool } from '../tools/login/login.js';
import { type LoginChoice, loginInputSchema } from '../tools/login/login-texts.js';
import { type LogoutToolOptions, registerLogoutTool } from '../tools/logout.js';
import { registerSessionStatusTool, type SessionStatusToolOptions } from '../tools/session-status.js';
import { type BeginCall, guardServer, type ServerGuardOptions } from './guarded-server.js';
import { ParkedCalls } from './parked-calls.js';
import type { RunningCalls } from './running-calls.js';
import { registerStatusResource } from './status-resource.js';
import type { Subscriptions } from './subscriptions.js';
import { guardTools } from './tool-guard.js';

/** How the server introduces itself to clients. */
export interface ServerInfo extends Implementation {
  /** For the model: what the server is for. How to log in is added. */
  readonly instructions?: string;
  /** Capabilities beyond those that follow from what is registered. */
  readonly capabilities?: ServerCapabilities;
  /** Checks the `requestState` of your own tools before they see it, as the SDK's option of that name does. */
  readonly requestState?: ServerOptions['requestState'];
}

/**
 * Registers the author's tools, resources and prompts. Called for every server object, so keep it fast. Must not be
 * asynchronous. Messages that handlers send after their request has ended are dropped. Errors of messages sent without
 * `await`, and of listeners, are logged and do not end the process.
 */
export type RegisterTools<ProviderName extends string = string> = (
  server: McpServer,
  context: ToolContext<ProviderName>,
) => void;

export type ServerFactoryOptions = {
  readonly info: ServerInfo;
  readonly register: RegisterTools;
  readonly contexts: RequestContexts;
  readonly subscriptions: Subscriptions;
  /** Counts the requests whose handlers are running. */
  readonly runningCalls: RunningCalls;
  /** The providers; the first is the default. */
  readonly choices: readonly LoginChoice[];
  /** For what travels through clients between the rounds of a call. */
  readonly states: RequestStates;
  /** The maximum number of array elements and object keys in the arguments of a tool call. */
  readonly argumentElements: number;
  /** Which clients are asked to open links. */
  readonly elicitation: Elicitation;
} & Omit<LoginToolOptions, keyof ServerEnvironment | 'inputSchema' | 'rounds' | 'elicitation'> &
  LogoutToolOptions &
  ServerGuardOptions &
  SessionStatusToolOptions;

const TOOLS_ARE_SYNCHRONOUS =
  '`tools` must not be asynchronous: clients may list the tools as soon as it returns. Await what it needs before you call `createSessions`.';
const LOGIN_INSTRUCTIONS =
  'Every user works with their own account. When a tool asks for a login, call `login`, show the link to the user, and call `login` again once they are done.';
const HANDLE_INSTRUCTIONS = 'If `login` returns a `session`, pass it in every further call.';

/** What a server object has to know of the connection that it is made for. */
export interface ServerEnvironment {
  /** Whether requests name their session by an argument. If not, it is that of the connection or the caller. */
  readonly hasHandles: boolean;
  /** Whether each request has a server object of its own. If not, it is that of a connection. */
  readonly isPerRequest: boolean;
  /** Opens the link of a login for the user, where the client does not. */
  readonly openBrowser?: OpenBrowser | undefined;
}

/** Makes the server objects of both eras: the same tools, behind the same gate. */
export class ServerFactory {
  readonly #options: ServerFactoryOptions;
  readonly #loginInput: LoginToolOptions['inputSchema'];
  readonly #rounds: LoginRounds;
  readonly #elicitation: ElicitationPolicy;

  /** @throws SessionError `configuration` when a tool that is registered cannot work. */
  constructor(options: ServerFactoryOptions) {
    this.#options = options;
    this.#loginInput = loginInputSchema(options.choices);
    this.#elicitation = new ElicitationPolicy(options.elicitation, options.clock);
    this.#rounds = new LoginRounds({ ...options, elicitation: this.#elicitation });
    this.#make({ hasHandles: true, isPerRequest: true }, true);
  }

  make(surroundings: ServerEnvironment): McpServer {
    return this.#make(surroundings, false);
  }

  #make({ hasHandles, isPerRequest, openBrowser }: ServerEnvironment, strict: boolean): McpServer {
    const { register, contexts } = this.#options;
    const { instructions, capabilities, requestState, ...info } = this.#options.info;
    const howToLogIn = hasHandles ? `${LOGIN_INSTRUCTIONS} ${HANDLE_INSTRUCTIONS}` : LOGIN_INSTRUCTIONS;
    const server = new McpServer(info, {
      instructions: instructions ? `${instructions}\n\n${howToLogIn}` : howToLogIn,
      maxToolInputElements: this.#options.argumentElements,
      // `login`, and the calls that wait for one, seal and check their own.
      requestState: {
        verify: (state, protocol) => {
          const { toolName = '' } = contexts.get();
          const checksItself = toolName === 'login' || requiresLogin.has(toolName);
          return checksItself ? undefined : requestState?.verify?.(state, protocol);
        },
      },
      ...(capabilities && { capabilities }),
    });
    const ownBytes = isPerRequest ? CALL_BYTES.byItself : CALL_BYTES.ofConnection;
    const begin: BeginCall = (request, signal) => this.#options.runningCalls.begin(request, ownBytes, signal);
    guardServer(server, { ...this.#options, begin });
    const login = {
      ...this.#options,
      inputSchema: this.#loginInput,
      rounds: this.#rounds,
      elicitation: this.#elicitation,
      hasHandles,
      openBrowser,
    };
    const parked = new ParkedCalls(server, { ...login, verify: requestState?.verify });
    const requiresLogin = guardTools(server, { hasHandles, contexts, parked, strict });
    registerLoginTool(server, login);
    registerSessionStatusTool(server, this.#options);
    registerLogoutTool(server, this.#options);
    registerStatusResource(server, this.#options);
    if (isPerRequest) server.server.registerCapabilities({ resources: { subscribe: true } });
    else this.#options.subscriptions.serve(server);
    const registered: unknown = register(server, contexts);
    if (isThenable(registered)) {
      registered.then(undefined, this.#options.onError);
      throw new SessionError('configuration', TOOLS_ARE_SYNCHRONOUS);
    }
    return server;
  }
}
