import type {
  McpServer,
  RegisteredPrompt,
  RegisteredResource,
  RegisteredResourceTemplate,
  RegisteredTool,
} from '@modelcontextprotocol/server';
import { SessionError } from '../../../errors.js';
import { type Method, replaceMethod } from './server-methods.js';

/** What the SDK returns for a registration. */
export type Registered = RegisteredTool | RegisteredPrompt | RegisteredResource | RegisteredResourceTemplate;

/** The schemas of a registration, as far as it has them. */
interface Schemas {
  readonly inputSchema?: unknown;
  readonly outputSchema?: unknown;
  readonly argsSchema?: unknown;
}

/** A tool, prompt or resource as its author has registered it, with all updates. */
export interface Registration {
  readonly kind: 'tool' | 'prompt' | 'resource' | 'resource template';
  readonly name: string;
  /** The URI or the template of a resource. */
  readonly place: unknown;
  readonly config: Schemas;
  readonly callback: unknown;
}

/** What happens at each registration, and in the same way at each update of it. */
export interface RegistrationHooks {
  /** @throws SessionError `configuration` if it cannot be served; it is not registered or changed then */
  readonly check?: (registration: Registration) => void;
  /** What the SDK gets in place of the registration. */
  readonly guard?: (registration: Registration) => Registration;
  /** Called before each registration and each update, also of what needs no check. */
  readonly onConfigure?: () => void;
  /** Called afterwards. `next` is `undefined` when it was removed, `previous` when it is new. */
  readonly onChange?: (
    registered: Registered,
    next: Registration | undefined,
    previous: Registration | undefined,
  ) => void;
}

/** The changes that `update` takes. */
type Changes = Readonly<Record<string, unknown>>;

/** The changes that concern the checks and guards. */
const CHECKED = ['name', 'uri', 'template', 'paramsSchema', 'outputSchema', 'argsSchema', 'callback'];

/**
 * Runs hooks for what is registered on a server object from now on. The SDK checks a name only at the registration, and
 * `update` replaces a callback by what it is given.
 */
export function followRegistrations(server: McpServer, hooks: RegistrationHooks): void {
  const taken = new Set<string>();
  const follow = (registration: Registration, register: (guarded: Registration) => unknown): Registered => {
    hooks.onConfigure?.();
    assertComplete(registration);
    hooks.check?.(registration);
    assertFree(registration, taken);
    // The SDK returns one of these objects for each of its methods.
    const registered = register(hooks.guard?.(registration) ?? registration) as Registered;
    taken.add(keyOf(registration));
    hooks.onChange?.(registered, registration, undefined);
    followUpdates({ registered, registration, taken }, hooks);
    return registered;
  };
  for (const kind of ['tool', 'prompt'] as const) {
    replaceMethod(server, kind === 'tool' ? 'registerTool' : 'registerPrompt', (register) => (...given) => {
      const [name, config, callback] = given as [string, Schemas, unknown];
      return follow({ kind, name, place: undefined, config, callback }, (guarded) =>
        register(guarded.name, guarded.config, guarded.callback),
      );
    });
  }
  replaceMethod(server, 'registerResource', (register) => (...given) => {
    const [name, place, config, callback] = given as [string, unknown, Schemas, unknown];
    const kind = typeof place === 'string' ? 'resource' : 'resource template';
    return follow({ kind, name, place, config, callback }, (guarded) =>
      register(guarded.name, guarded.place, guarded.config, guarded.callback),
    );
  });
}

interface Followed {
  readonly registered: Registered;
  readonly registration: Registration;
  /** The names in use on the server object. */
  readonly taken: Set<string>;
}

function followUpdates({ registered, registration, taken }: Followed, hooks: RegistrationHooks): void {
  const { kind } = registration;
  const removal = kind === 'resource' ? 'uri' : 'name';
  let current: Registration | undefined = registration;
  let isRenamed = false;
  const remove = (update: Method, previous: Registration) => {
    // The SDK would remove the first name of a renamed prompt or resource, and keep the present one.
    if (isRenamed && kind !== 'tool') update({ enabled: false });
    else {
      update({ [removal]: null });
      taken.delete(keyOf(previous));
    }
    current = undefined;
    hooks.onChange?.(registered, undefined, previous);
  };
  // `enable`, `disable` and `remove` of the SDK call `update`, too.
  replaceMethod(registered, 'update', (update) => (given) => {
    hooks.onConfigure?.();
    const changes = given as Changes;
    const previous = current;
    if (changes[removal] === null) {
      if (previous) remove(update, previous);
      return;
    }
    if (CHECKED.every((name) => changes[name] === undefined)) {
      if (previous) update(changes);
      return;
    }
    if (!previous) throw refusal(registration, 'was removed. Register it again.');
    const next = updated(previous, changes);
    assertComplete(next);
    hooks.check?.(next);
    const isOther = keyOf(next) !== keyOf(previous);
    if (isOther) assertFree(next, taken);
    if (isOther && isRenamed && kind !== 'tool')
      throw refusal(previous, 'was renamed before. Remove it, and register it under its new name.');
    update({ ...changes, ...(hooks.guard && guardedChanges(hooks.guard(next))) });
    isRenamed ||= isOther;
    taken.delete(keyOf(previous));
    taken.add(keyOf(next));
    current = next;
    hooks.onChange?.(registered, next, previous);
  });
}

function updated(registration: Registration, changes: Changes): Registration {
  const { kind, name, place, config, callback } = registration;
  const {
    inputSchema = config.inputSchema,
    outputSchema = config.outputSchema,
    argsSchema = config.argsSchema,
  } = { ...changes, inputSchema: changes.paramsSchema };
  const moved = kind === 'resource' ? changes.uri : changes.template;
  return {
    kind,
    // It is checked like that of a registration.
    name: (changes.name === undefined ? name : changes.name) as string,
    place: moved === undefined ? place : moved,
    config: { ...config, inputSchema, outputSchema, argsSchema },
    callback: changes.callback === undefined ? callback : changes.callback,
  };
}

function guardedChanges({ config, callback }: Registration): Changes {
  return { paramsSchema: config.inputSchema, outputSchema: config.outputSchema, callback };
}

/** What distinguishes a registration from others of its kind. */
function keyOf({ kind, name, place }: Registration): string {
  return `${kind} ${kind === 'resource' ? String(place) : name}`;
}

/** TypeScript refuses what is refused here; JavaScript does not, and the SDK fails later, for its clients. */
function assertComplete(registration: Registration): void {
  const { kind, name, place, config, callback } = registration;
  if (typeof config !== 'object' || config === null)
    throw refusal(registration, 'needs a configuration, which is an object.');
  if (typeof name !== 'string' || name === '') throw refusal(registration, 'needs a name.');
  if (typeof callback !== 'function') throw refusal(registration, 'needs a handler, which is a function.');
  const { uriTemplate } = (place ?? {}) as { readonly uriTemplate?: unknown };
  if (kind === 'resource' && typeof place !== 'string') throw refusal(registration, 'needs a URI.');
  if (kind === 'resource template' && typeof uriTemplate !== 'object')
    throw refusal(registration, 'needs a ResourceTemplate.');
}

function assertFree(registration: Registration, taken: ReadonlySet<string>): void {
  if (!taken.has(keyOf(registration))) return;
  const other = registration.kind === 'resource' ? 'URI' : 'name';
  throw refusal(registration, `is registered already. Use another ${other}.`);
}

function refusal({ kind, name }: Registration, why: string): SessionError {
  return new SessionError('configuration', `The ${kind} "${String(name)}" ${why}`);
}
