import {
  type McpServer,
  mergeCapabilities,
  type RegisteredTool,
  type ServerCapabilities,
} from '@modelcontextprotocol/server';
import { AuthorError, SessionError } from '../../../errors.js';
import { followRegistrations, type Registered, type Registration } from './registrations.js';
import { currentServer, methodOf, replaceMethod, SENDERS } from './server-methods.js';

/** Configures a server object as the author has configured the template. */
interface Step {
  /** What it does, for the log. */
  readonly name: string;
  readonly run: (server: McpServer) => void;
}

/** The methods that set or remove the handler of a method, which is their first argument. */
const HANDLER_METHODS = [
  'setRequestHandler',
  'setNotificationHandler',
  'removeRequestHandler',
  'removeNotificationHandler',
] as const;
const REGISTERING_METHODS = ['registerTool', 'registerPrompt', 'registerResource'] as const;
/** The properties that configure a server object. `oninitialized` is not among them: 2026 has no initialization. */
const CALLBACKS = ['onclose', 'onerror', 'fallbackRequestHandler', 'fallbackNotificationHandler'] as const;
/** The methods that concern the client of the current request. */
const CLIENT_METHODS = [
  ...SENDERS,
  'notification',
  'getClientCapabilities',
  'getClientVersion',
  'getNegotiatedProtocolVersion',
  'createElicitationCompletionNotifier',
] as const;

const MUST_NOT_CONNECT =
  '`tools` must not connect its server object. Call `listen`, `serveStdio` or `handleRequest` of the sessions instead.';

export interface ServerTemplateOptions {
  /** @throws SessionError `configuration` if the registration cannot be served */
  readonly check: (registration: Registration) => void;
  /** Called with errors in the author's code. */
  readonly onError: (error: unknown) => void;
  /** What the methods that concern a client return if no server object serves the current request, by their names. */
  readonly client: () => Readonly<Record<string, unknown>> | undefined;
}

/** A tool of the template. */
export interface TemplateTool {
  readonly registered: RegisteredTool;
  readonly registration: Registration;
}

/**
 * The server object that `tools` configures for the 2026 era. In that era the SDK needs a server object for each
 * request, but `tools` runs once. The template records what `tools` does and repeats it on each server object, later
 * changes included (`update`, `remove`, new registrations). Methods that concern a client, such as
 * `getClientCapabilities`, act on the server object of the current request.
 */
export class ServerTemplate {
  readonly server: McpServer;
  readonly #onError: (error: unknown) => void;
  readonly #client: ServerTemplateOptions['client'];
  readonly #tools = new Map<string, TemplateTool>();
  /** By registration, and by what is configured: a handler may configure the same again for each of its calls. */
  readonly #steps = new Map<Registered | string, Step>();
  /** The steps whose failure was reported. */
  readonly #failed = new WeakSet<Step>();
  #capabilities: ServerCapabilities = {};
  /** Whether the SDK configures the server itself, as a part of a registration or of another configuration. */
  #isRegistering = false;

  /** @param server a server object that is never connected; what it has already is not recorded */
  constructor(server: McpServer, { check, onError, client }: ServerTemplateOptions) {
    this.server = server;
    this.#onError = onError;
    this.#client = client;
    for (const name of REGISTERING_METHODS) {
      replaceMethod(
        server,
        name,
        (register) =>
          (...given) =>
            this.#register(() => register(...given)),
      );
    }
    followRegistrations(server, {
      check,
      onChange: (registered, next, previous) => {
        if (next) this.#steps.set(registered, stepOf(registered, next));
        else this.#steps.delete(registered);
        if (!('executor' in registered)) return;
        if (previous) this.#tools.delete(previous.name);
        if (next) this.#tools.set(next.name, { registered, registration: next });
      },
    });
    this.#recordConfiguration();
    this.#followCurrentServer();
    replaceMethod(server, 'connect', () => () => {
      throw new SessionError('configuration', MUST_NOT_CONNECT);
    });
  }

  /** A tool by its name; `undefined` if there is none, or if the author handles the calls of all tools. */
  tool(name: string): TemplateTool | undefined {
    const isAsUsual = !this.#steps.has('request tools/call') && this.server.server.onclose === undefined;
    return isAsUsual ? this.#tools.get(name) : undefined;
  }

  /** Configures a server object before it is connected. A step that fails does not end the request of a client. */
  applyTo(target: McpServer): void {
    for (const step of this.#steps.values()) {
      try {
        step.run(target);
      } catch (error) {
        this.#report(step, error);
      }
    }
    const { server } = this.server;
    for (const name of CALLBACKS) {
      if (server[name] !== undefined) Object.assign(target.server, { [name]: server[name] });
    }
  }

  /** Reports a failure once: the step fails again for each request. */
  #report(step: Step, cause: unknown): void {
    if (this.#failed.has(step)) return;
    this.#failed.add(step);
    this.#onError(
      new AuthorError(`Requests of the 2026 era are served without ${step.name}, which failed.`, { cause }),
    );
  }

  #register<T>(register: () => T): T {
    const wasRegistering = this.#isRegistering;
    this.#isRegistering = true;
    try {
      return register();
    } finally {
      this.#isRegistering = wasRegistering;
    }
  }

  #recordConfiguration(): void {
    const { server } = this.server;
    for (const name of HANDLER_METHODS) {
      replaceMethod(server, name, (configure) => (...given) => {
        configure(...given);
        const [method] = given as [string];
        // Setting and removing a handler replace each other.
        const key = `${name.endsWith('RequestHandler') ? 'request' : 'notification'} ${method}`;
        this.#record(key, {
          name: `${name}("${method}")`,
          run: (target) => methodOf(target.server, name)(...given),
        });
      });
    }
    replaceMethod(server, 'registerCapabilities', (register) => (given) => {
      // It sets request handlers itself.
      this.#register(() => register(given));
      if (this.#isRegistering) return;
      this.#capabilities = mergeCapabilities(this.#capabilities, given as ServerCapabilities);
      const capabilities = this.#capabilities;
      this.#record('capabilities', {
        name: 'registerCapabilities',
        run: (target) => target.server.registerCapabilities(capabilities),
      });
    });
  }

  /** Records a step as the last one. */
  #record(key: string, step: Step): void {
    if (this.#isRegistering) return;
    this.#steps.delete(key);
    this.#steps.set(key, step);
  }

  #followCurrentServer(): void {
    const { server } = this.server;
    for (const name of CLIENT_METHODS) {
      replaceMethod(server, name, (own) => (...given) => {
        const current = currentServer.getStore();
        if (current) return methodOf(current.server, name)(...given);
        const client = this.#client();
        return client && Object.hasOwn(client, name) ? client[name] : own(...given);
      });
    }
    Object.defineProperty(server, 'transport', { get: () => currentServer.getStore()?.server.transport });
  }
}

/** Repeats a registration with its present properties. */
function stepOf(registered: Registered, { kind, name, place, callback }: Registration): Step {
  return {
    name: `the ${kind} "${name}"`,
    run: (target) => {
      const copy = register(target, registered, { name, place, callback });
      if (!registered.enabled) copy.disable();
    },
  };
}

function register(
  target: McpServer,
  registered: Registered,
  { name, place, callback }: Pick<Registration, 'name' | 'place' | 'callback'>,
): Registered {
  // What the author registered is passed on with the types that the SDK has checked.
  if ('executor' in registered)
    return methodOf(target, 'registerTool')(name, registered, registered.handler) as Registered;
  if ('readCallback' in registered) {
    const { metadata, cacheHint, scopeChallenge, readCallback } = registered;
    const config = { ...metadata, cacheHint, scopeChallenge };
    return methodOf(target, 'registerResource')(name, place, config, readCallback) as Registered;
  }
  // The handler of a registered prompt validates the arguments, as its copy does.
  return methodOf(target, 'registerPrompt')(name, registered, callback) as Registered;
}
