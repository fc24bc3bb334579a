/** The handler of a tool, resource or prompt, with any arguments. */
export type RequestHandler = (...parameters: never[]) => unknown;

/** The login that a handler requires. */
export interface LoginRequirement<ProviderName extends string = string> {
  /** The name of the provider. Default: the first configured provider. */
  readonly provider?: ProviderName | undefined;
  /**
   * Scopes that the login must have. If it lacks one, the call is answered as one without a login, and the login that
   * follows requests these scopes besides the configured ones. Default: none
   */
  readonly scopes?: readonly string[] | undefined;
}

const LOGIN_REQUIREMENT: unique symbol = Symbol('login requirement');

type MarkedHandler = RequestHandler & { readonly [LOGIN_REQUIREMENT]?: LoginRequirement };

/** Marks a handler as one that requires a login, so that the tool guard can wait for the login. */
export function withLoginRequirement<T extends RequestHandler>(handler: T, requirement: LoginRequirement): T {
  return Object.assign(handler, { [LOGIN_REQUIREMENT]: requirement });
}

/** The login requirement of a handler; `undefined` if it has none. */
export function loginRequirementOf(handler: RequestHandler): LoginRequirement | undefined {
  return (handler as MarkedHandler)[LOGIN_REQUIREMENT];
}
