import {
  type Implementation,
  McpServer,
  type ServerCapabilities,
  type ServerOptions,
} from '@modelcontextprotocol/server';
import { SessionError } from '../../errors.js';
import type { OpenBrowser } from '../../login/browser/open-browser.js';
import type { Messages } from '../../session/messages.js';
import { isThenable } from '../../time/promises.js';
import type { BoundStates } from '../request/bound-state.js';
import { CALL_BYTES } from '../request/client-memory-limits.js';
import type { Era, RequestContext, RequestContexts, ToolContext } from '../request/context.js';
import type { RequestStates } from '../request/request-state.js';
import { LoginRounds } from '../tools/login/elicitation.js';
import { type Elicitation, ElicitationPolicy } from '../tools/login/elicitation-policy.js';
import { type LoginToolOptions, registerLoginTool } from '../tools/login/login.js';
import { type LoginChoice, loginInputSchema, loginOutputSchema } from '../tools/login/login-definition.js';
import { type LogoutToolOptions, registerLogoutTool } from '../tools/logout.js';
import { registerSessionStatusTool, type SessionStatusToolOptions } from '../tools/session-status.js';
import { ParkedCalls, type ParkedCallsOptions } from './parked-calls.js';
import type { RunningCalls } from './running-calls.js';
import { AuthorState } from './sdk-adapter/author-state.js';
import { type OwnTools, ownToolsOf } from './sdk-adapter/own-tools.js';
import type { Registration } from './sdk-adapter/registrations.js';
import { guardServer, type ServerGuardOptions } from './sdk-adapter/server-guard.js';
import { ServerTemplate, type TemplateTool } from './sdk-adapter/server-template.js';
import { registerStatusResource } from './status-resource.js';
import type { Subscriptions } from './subscriptions.js';
import {
  assertNotReserved,
  assertServable,
  guardTools,
  requirementOf,
  type ToolGuardOptions,
} from './tool-guard.js';

/** The server information for clients. */
export interface ServerInfo extends Implementation {
  /** For the model: what the server is for. The library adds how to log in. */
  readonly instructions?: string;
  /** Capabilities besides those that follow from the registrations. */
  readonly capabilities?: ServerCapabilities;
  /**
   * Verifies the `requestState` of your own tools, as the option of the SDK with this name does. A state that was
   * changed, or belongs to another session, does not reach it.
   */
  readonly requestState?: ServerOptions['requestState'];
}

/**
 * Registers your tools, resources and prompts. Must not be asynchronous.
 *
 * In the 2026 era it runs once, when `createSessions` is called. In the 2025 era it runs again for each connection,
 * when the connection is first used, and after it has hibernated (`hibernate`). Variables in its closure are shared by
 * all users: take what belongs to one user from `context` only. Methods of the server object that concern a client, such
 * as `getClientCapabilities`, concern the client of the current request.
 *
 * Messages that a handler sends after its request has ended are dropped. Errors of messages that are sent without
 * `await`, and of listeners, are logged and do not end the process.
 * @param server do not connect it; its tools, resources and prompts may also change later
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
  /** Seals the state of calls that take several rounds. */
  readonly states: RequestStates;
  /** Binds the states of the author. */
  readonly authorStates: BoundStates;
  /** The maximum number of array elements and object keys in the arguments of a tool call. */
  readonly argumentElements: number;
  /** Which clients are asked to open links. */
  readonly elicitation: Elicitation;
  /** Absent if no other node can get the requests of a 2026 client. */
  readonly messages: Messages | undefined;
} & Omit<
  LoginToolOptions,
  keyof ServerEnvironment | 'inputSchema' | 'outputSchema' | 'rounds' | 'elicitation'
> &
  LogoutToolOptions &
  Pick<ServerGuardOptions, 'onError' | 'onProtocolError'> &
  SessionStatusToolOptions;

const TOOLS_ARE_SYNCHRONOUS =
  '`tools` must not be asynchronous: clients may list the tools as soon as it returns. Await what it needs before you call `createSessions`.';
const LOGIN_INSTRUCTIONS =
  'Every user works with their own account. When a tool asks for a login, call `login`, show the link to the user, and call `login` again once they are done.';
const HANDLE_INSTRUCTIONS = 'If `login` returns a `session`, pass it in every further call.';

type LoginKind = 'withHandle' | 'withoutHandle';

interface Created {
  readonly server: McpServer;
  /** Its tools by their names, as their authors have registered them. */
  readonly tools: ReadonlyMap<string, TemplateTool>;
}

interface ServerFor2025 {
  readonly server: McpServer;
  readonly tools: OwnTools;
  /** Whether another one can take its place: it has nothing that another run of `tools` would not make. */
  readonly isReplaceable: () => boolean;
}

/** The environment that a server object is made for. */
export interface ServerEnvironment {
  readonly era: Era;
  /** Whether requests name their session by an argument. If not, the connection or the caller determines it. */
  readonly hasHandles: boolean;
  /** Whether each request has its own server object. If not, a connection has one. */
  readonly isPerRequest: boolean;
  /** Opens the link of a login for the user if the client does not. */
  readonly openBrowser?: OpenBrowser | undefined;
}

/**
 * Makes the server objects of both eras, with the same tools behind the same guard. In the 2026 era `tools` has run
 * once, when the process started; in the 2025 era it runs for each server object of a connection.
 */
export class ServerFactory {
  readonly #options: ServerFactoryOptions;
  #loginInput: LoginToolOptions['inputSchema'];
  readonly #loginOutput: Readonly<Record<LoginKind, LoginToolOptions['outputSchema']>>;
  readonly #rounds: LoginRounds;
  readonly #elicitation: ElicitationPolicy;
  readonly #template: ServerTemplate;
  /** The kinds and names of what has been checked for the template. */
  readonly #checked = new Set<string>();
  /** What the tool `login` needs, apart from what differs between server objects: the same object for all of them. */
  #login: Partial<Record<LoginKind, ParkedCallsOptions>> = {};
  readonly #guards: Readonly<Record<'perRequest' | 'ofConnection', ServerGuardOptions>>;
  /** The server information for clients. */
  readonly identity: Implementation;
  /** For the author: what the parts of the server share stays out of it, and its functions work without it. */
  readonly #context: ToolContext;

  /** @throws SessionError `configuration` if `tools` is asynchronous or registers a tool that cannot be served */
  constructor(options: ServerFactoryOptions) {
    this.#options = options;
    this.#loginInput = loginInputSchema(options.choices, []);
    this.#loginOutput = {
      withHandle: loginOutputSchema({ ...options, hasHandles: true }),
      withoutHandle: loginOutputSchema({ ...options, hasHandles: false }),
    };
    this.#elicitation = new ElicitationPolicy(options.elicitation, options.clock, options.messages);
    this.#rounds = new LoginRounds({ ...options, elicitation: this.#elicitation });
    const {
      instructions: _told,
      capabilities: _declared,
      requestState: _verified,
      ...identity
    } = options.info;
    this.identity = identity;
    const { contexts } = options;
    this.#guards = {
      perRequest: this.#guardOf(CALL_BYTES.byItself),
      ofConnection: this.#guardOf(CALL_BYTES.ofConnection),
    };
    this.#context = Object.freeze<ToolContext>({
      session: () => contexts.session(),
      requireLogin: (handler, requirement) => contexts.requireLogin(handler, requirement),
    });
    const { server } = this.#create({ era: '2026', hasHandles: true, isPerRequest: true }, 'template');
    this.#template = new ServerTemplate(server, {
      check: (registration) => {
        assertServable(registration);
        this.#checked.add(kindAndName(registration));
      },
      onError: options.onError,
      client: () => contexts.peek()?.client,
    });
    this.#runTools(server);
    // `tools` determines the scopes that `login` may request.
    contexts.completeScopes();
    const scopes = options.choices.flatMap(({ name }) => [...contexts.requiredScopesAt(name)]);
    this.#loginInput = loginInputSchema(options.choices, [...new Set(scopes)]);
    this.#login = {};
  }

  /** A tool of the 2026 era by its name, as its author has registered it; `undefined` if calls of it need the SDK. */
  toolNamed(name: string): TemplateTool | undefined {
    return this.#template.tool(name);
  }

  /** Makes a server object that is ready to be connected. */
  make(environment: ServerEnvironment): McpServer {
    if (environment.era === '2025') return this.makeFor2025(environment).server;
    const { server } = this.#create(environment);
    this.#template.applyTo(server);
    return server;
  }

  /** Makes a server object for a 2025 connection, and shows its tools. */
  makeFor2025(environment: Omit<ServerEnvironment, 'era'>): ServerFor2025 {
    let step: 'own tools' | "author's tools" | 'later' = 'own tools';
    const authorState = new AuthorState();
    const { server, tools } = this.#create(
      { ...environment, era: '2025' },
      {
        check: (registration) => {
          if (step === 'own tools') return;
          // `tools` makes the same schemas again for each connection. To check them takes longer than all the rest.
          const isKnown = step === "author's tools" && this.#checked.has(kindAndName(registration));
          if (isKnown) assertNotReserved(registration);
          else assertServable(registration);
        },
        onConfigure: () => authorState.changed(),
      },
    );
    step = "author's tools";
    const own = ownToolsOf(server, tools);
    authorState.follow(server);
    this.#runTools(server);
    step = 'later';
    authorState.begin();
    const { subscriptions } = this.#options;
    return {
      server,
      tools: own,
      isReplaceable: () => !authorState.exists && !subscriptions.has(server),
    };
  }

  /** @param follow follows registrations; `template`: the server object is never connected, so its tools need no guard */
  #create(
    { hasHandles, isPerRequest, openBrowser }: ServerEnvironment,
    follow: 'template' | Pick<ToolGuardOptions, 'check' | 'onConfigure'> = {},
  ): Created {
    const { contexts, authorStates, onError } = this.#options;
    const { instructions, capabilities } = this.#options.info;
    const howToLogIn = hasHandles ? `${LOGIN_INSTRUCTIONS} ${HANDLE_INSTRUCTIONS}` : LOGIN_INSTRUCTIONS;
    const server = new McpServer(this.identity, {
      instructions: instructions ? `${instructions}\n\n${howToLogIn}` : howToLogIn,
      maxToolInputElements: this.#options.argumentElements,
      // The library seals and verifies the state of `login`, and of calls that wait for a login.
      requestState: {
        verify: (state, protocol) => {
          const { toolName = '' } = contexts.get();
          const called = tools.get(toolName)?.registration;
          const checksItself = toolName === 'login' || (called && requirementOf(called));
          return checksItself ? undefined : authorStates.verify(state, protocol);
        },
      },
      ...(capabilities && { capabilities }),
    });
    const guard = this.#guards[isPerRequest ? 'perRequest' : 'ofConnection'];
    guardServer(server, guard);
    const shared = this.#loginOf(hasHandles ? 'withHandle' : 'withoutHandle');
    const login = openBrowser ? { ...shared, openBrowser } : shared;
    const parked = new ParkedCalls(server, login);
    const { signOutSignal } = guard;
    const tools: Created['tools'] =
      follow === 'template'
        ? new Map()
        : guardTools(server, {
            hasHandles,
            contexts,
            parked,
            signOutSignal,
            authorStates,
            onError,
            ...follow,
          });
    registerLoginTool(server, login);
    registerSessionStatusTool(server, this.#options);
    registerLogoutTool(server, this.#options);
    registerStatusResource(server, this.#options);
    if (isPerRequest) server.server.registerCapabilities({ resources: { subscribe: true } });
    else this.#options.subscriptions.serve(server);
    return { server, tools };
  }

  #loginOf(kind: LoginKind): ParkedCallsOptions {
    const hasHandles = kind === 'withHandle';
    this.#login[kind] ??= {
      ...this.#options,
      inputSchema: this.#loginInput,
      outputSchema: this.#loginOutput[kind],
      rounds: this.#rounds,
      elicitation: this.#elicitation,
      hasHandles,
    };
    return this.#login[kind];
  }

  #guardOf(ownBytes: number): ServerGuardOptions {
    const { contexts, runningCalls, authorStates, onError, onProtocolError } = this.#options;
    return {
      authorStates,
      onError,
      onProtocolError,
      begin: (request) => runningCalls.begin(request, ownBytes),
      signOutSignal: () => this.signOutSignal(contexts.peek()),
      operation: () => contexts.peek()?.operation,
    };
  }

  /** The signal that aborts when the session of a request is signed out or ends, if it names one. */
  signOutSignal({ resolved }: Partial<Pick<RequestContext, 'resolved'>> = {}): AbortSignal | undefined {
    return resolved?.state === 'live' ? this.#options.registry.signalOf(resolved.record) : undefined;
  }

  #runTools(server: McpServer): void {
    const { register, onError } = this.#options;
    const returned: unknown = register(server, this.#context);
    if (!isThenable(returned)) return;
    returned.then(undefined, onError);
    throw new SessionError('configuration', TOOLS_ARE_SYNCHRONOUS);
  }
}

function kindAndName({ kind, name }: Registration): string {
  return `${kind} ${name}`;
}
