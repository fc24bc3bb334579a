import { z } from 'zod';

/** The arguments of `login`. */
export interface LoginArguments {
  readonly provider?: string | undefined;
  readonly code?: string | undefined;
  readonly flow?: 'link' | 'device' | undefined;
  readonly link?: boolean | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly renew?: boolean | undefined;
  readonly restart?: boolean | undefined;
}

/** A provider, as far as the arguments of `login` depend on it. */
export interface LoginChoice {
  readonly name: string;
  /** Whether users may choose a code instead of a link. */
  readonly hasChoiceOfFlow: boolean;
}

/** The arguments of `login` on a server with these providers, the first of which is the default. */
export function loginInputSchema(
  providers: readonly LoginChoice[],
  requiredScopes: readonly string[],
): z.ZodType<LoginArguments> {
  const [first] = providers;
  const names = providers.map(({ name }) => name);
  const choice =
    names.length > 1
      ? `One of ${names.join(', ')}. Default: ${first?.name}.`
      : `There is only ${first?.name}.`;
  const schema = z.object({
    provider: z.string().max(100).optional().describe(`Which provider to log in to. ${choice}`),
    code: z
      .string()
      .max(100)
      .optional()
      .describe('The confirmation code that the browser showed after the login, if it showed one.'),
    link: z
      .boolean()
      .optional()
      .describe(
        'true: return the link for you to show to the user, without a question by the client. Use it if `login` failed in the client, or if the user saw no question. Default: false.',
      ),
    renew: z
      .boolean()
      .optional()
      .describe(
        'true: log in again although the login is valid, to grant access that was refused, or as another user. Default: false.',
      ),
    restart: z
      .boolean()
      .optional()
      .describe(
        'true: cancel the pending login, whose link does not work any more then, and start a new one. Use it if the user wants a new link, or if the provider shows the same error again. A login that was valid before stays. Default: false.',
      ),
  });
  const withCodes = providers.filter(({ hasChoiceOfFlow }) => hasChoiceOfFlow).map(({ name }) => name);
  const where = withCodes.length < names.length ? ` Only at ${withCodes.join(', ')}.` : '';
  const flow = z
    .enum(['link', 'device'])
    .optional()
    .describe(
      `How the user logs in. link (default): by a link. device: by a short code that they enter on the provider's own page, on any device. Use it if the link cannot be opened or does not load in their browser.${where}`,
    );
  const scopes = z
    .array(z.enum(requiredScopes))
    .max(requiredScopes.length)
    .optional()
    .describe(
      'Scopes to request besides the usual ones. Pass them only if the error of another tool says so.',
    );
  // zod does not know the types of properties that are added conditionally.
  return schema.extend({
    ...(requiredScopes.length > 0 && { scopes }),
    ...(withCodes.length > 0 && { flow }),
  }) as z.ZodType<LoginArguments>;
}

const outputSchema = z.object({
  status: z.enum(['pending', 'confirmation_required', 'authenticated']),
  loginUrl: z.string().optional().describe('Show it to the user, who opens it in a browser.'),
  expiresInSeconds: z.number().optional(),
  account: z
    .object({ provider: z.string(), subject: z.string(), name: z.string().optional() })
    .optional()
    .describe('Who is logged in.'),
  next: z.string().describe('What to do now.'),
});
const handleSchema = z
  .string()
  .optional()
  .describe('The session handle. Pass it as `session` in every further call.');

const userCodeSchema = z
  .string()
  .optional()
  .describe('Show it to the user, who types it in at loginUrl. It is not the argument `code`.');

/** The configuration that the definition of `login` depends on. */
export interface LoginDefinitionOptions {
  /** Whether sessions are named by handles. */
  readonly hasHandles: boolean;
  /** Whether users may log in with a code on the page of the provider (device flow). */
  readonly hasDeviceFlow: boolean;
}

/** The output schema of `login`. */
export function loginOutputSchema({ hasHandles, hasDeviceFlow }: LoginDefinitionOptions): z.ZodType {
  return outputSchema.extend({
    ...(hasDeviceFlow && { userCode: userCodeSchema }),
    ...(hasHandles && { session: handleSchema }),
  });
}

/** The description of `login` in `tools/list`. */
export function loginDescription(hasDeviceFlow: boolean): string {
  const what = hasDeviceFlow ? 'a link, or a link and a code to type in there,' : 'a link';
  return `Logs the user in, so that the other tools can work in their name. Gives ${what} for the user to open in a browser; call \`login\` again when they have done so. Calling it again is always safe. If a call fails in the client, or the user saw no question and no link, call it with \`link: true\`.`;
}
