/** The handler of a tool, whatever its arguments. */
export type ToolHandler = (...parameters: never[]) => unknown;

/** What a tool cannot do without. */
export interface LoginRequirement {
  /** Where its user has to be logged in. Default: at the first configured provider. */
  readonly provider?: string | undefined;
}

const LOGIN_NEED: unique symbol = Symbol('what a tool handler cannot do without');

type NeedyHandler = ToolHandler & { readonly [LOGIN_NEED]?: LoginRequirement };

/**
 * The same handler, marked as one that needs a login. It checks for the login itself, so that it also protects
 * resources and prompts, which the tool gate does not check.
 * @param assertLoggedIn rejects if no user is logged in
 */
export function withLoginRequirement<Handler extends ToolHandler>(
  handler: Handler,
  need: LoginRequirement,
  assertLoggedIn: () => Promise<void>,
): Handler {
  const requiresLogin = async (...parameters: never[]) => {
    await assertLoggedIn();
    return handler(...parameters);
  };
  // It is called as the original is, and answers what that answers.
  return Object.assign(requiresLogin, { [LOGIN_NEED]: need }) as unknown as Handler;
}

/** What a handler said it needs. */
export function loginRequirementOf(handler: ToolHandler): LoginRequirement | undefined {
  return (handler as NeedyHandler)[LOGIN_NEED];
}
