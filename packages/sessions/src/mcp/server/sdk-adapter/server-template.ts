import type {
  McpServer,
  RegisteredPrompt,
  RegisteredResource,
  RegisteredResourceTemplate,
  RegisteredTool,
} from '@modelcontextprotocol/server';
import { SessionError } from '../../../errors.js';
import { currentServer, methodOf, replaceMethod, SENDERS } from './server-methods.js';

/** Configures a server object as the author has configured the template. */
type Step = (server: McpServer) => void;
type Registered = RegisteredTool | RegisteredPrompt | RegisteredResource | RegisteredResourceTemplate;
/** The changes that `update` takes. A name or URI of `null` removes the registration. */
type Changes = Readonly<Record<string, unknown>>;

/** The methods that configure a server object besides registering tools, resources and prompts. */
const CONFIGURING_METHODS = [
  'registerCapabilities',
  'setRequestHandler',
  'setNotificationHandler',
  'removeRequestHandler',
  'removeNotificationHandler',
] as const;
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

/** The configuration of a tool, as far as it is checked. */
export interface ToolConfig {
  readonly inputSchema?: unknown;
  readonly outputSchema?: unknown;
}

/** @throws SessionError `configuration` if the tool cannot be served */
export type CheckTool = (name: string, config: ToolConfig) => void;

/**
 * The server object that `tools` configures for the 2026 era. In that era the SDK needs a server object for each
 * request, but `tools` runs once. The template records what `tools` does and repeats it on each server object, later
 * changes included (`update`, `remove`, new registrations). Methods that concern a client, such as
 * `getClientCapabilities`, act on the server object of the current request.
 */
export class ServerTemplate {
  readonly server: McpServer;
  readonly #steps = new Set<Step>();
  /** Whether the SDK configures the server itself, as a part of a registration or of another configuration. */
  #isRegistering = false;

  /** @param server a server object that is never connected; what it has already is not recorded */
  constructor(server: McpServer, checkTool: CheckTool) {
    this.server = server;
    this.#recordTools(checkTool);
    this.#recordPrompts();
    this.#recordResources();
    this.#recordConfiguration();
    this.#followCurrentServer();
    replaceMethod(server, 'connect', () => () => {
      throw new SessionError('configuration', MUST_NOT_CONNECT);
    });
  }

  /** Configures a server object before it is connected. */
  applyTo(target: McpServer): void {
    for (const step of this.#steps) step(target);
    const { server } = this.server;
    for (const name of CALLBACKS) {
      if (server[name] !== undefined) Object.assign(target.server, { [name]: server[name] });
    }
  }

  #recordTools(checkTool: CheckTool): void {
    replaceMethod(this.server, 'registerTool', (register) => (...given) => {
      let [name] = given as [string];
      checkTool(name, given[1] as ToolConfig);
      const registered = this.#register(() => register(...given) as RegisteredTool);
      const step: Step = (target) => {
        const copy = methodOf(target, 'registerTool')(name, registered, registered.handler);
        if (!registered.enabled) (copy as RegisteredTool).disable();
      };
      return this.#track(registered, step, (changes) => {
        if (typeof changes.name === 'string') name = changes.name;
      });
    });
  }

  #recordPrompts(): void {
    replaceMethod(this.server, 'registerPrompt', (register) => (...given) => {
      // The handler of a registered prompt validates the arguments, as its copy does.
      let [name, , callback] = given;
      const registered = this.#register(() => register(...given) as RegisteredPrompt);
      const step: Step = (target) => {
        const copy = methodOf(target, 'registerPrompt')(name, registered, callback);
        if (!registered.enabled) (copy as RegisteredPrompt).disable();
      };
      return this.#track(registered, step, (changes) => {
        if (typeof changes.name === 'string') name = changes.name;
        callback = changes.callback ?? callback;
      });
    });
  }

  #recordResources(): void {
    replaceMethod(this.server, 'registerResource', (register) => (...given) => {
      let [name, place] = given;
      const registered = this.#register(
        () => register(...given) as RegisteredResource | RegisteredResourceTemplate,
      );
      const step: Step = (target) => {
        const { metadata, cacheHint, scopeChallenge, readCallback } = registered;
        const config = { ...metadata, cacheHint, scopeChallenge };
        const copy = methodOf(target, 'registerResource')(name, place, config, readCallback);
        if (!registered.enabled) (copy as RegisteredResource).disable();
      };
      return this.#track(registered, step, (changes) => {
        if (typeof changes.name === 'string') name = changes.name;
        place = changes.uri ?? changes.template ?? place;
      });
    });
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

  /** Records a registration until it is removed. @param onUpdate called with each change */
  #track<T extends Registered>(registered: T, step: Step, onUpdate: (changes: Changes) => void): T {
    this.#steps.add(step);
    // `enable`, `disable` and `remove` of the SDK call `update`, too.
    replaceMethod(registered as Registered, 'update', (update) => (changes) => {
      update(changes);
      const { name, uri } = changes as Changes;
      if (name === null || uri === null) this.#steps.delete(step);
      else onUpdate(changes as Changes);
    });
    return registered;
  }

  #recordConfiguration(): void {
    const { server } = this.server;
    for (const name of CONFIGURING_METHODS) {
      replaceMethod(server, name, (configure) => (...given) => {
        // `registerCapabilities` sets request handlers itself.
        this.#register(() => configure(...given));
        if (!this.#isRegistering) this.#steps.add((target) => methodOf(target.server, name)(...given));
      });
    }
  }

  #followCurrentServer(): void {
    const { server } = this.server;
    for (const name of CLIENT_METHODS) {
      replaceMethod(server, name, (own) => (...given) => {
        const current = currentServer.getStore();
        return current ? methodOf(current.server, name)(...given) : own(...given);
      });
    }
    Object.defineProperty(server, 'transport', { get: () => currentServer.getStore()?.server.transport });
  }
}
