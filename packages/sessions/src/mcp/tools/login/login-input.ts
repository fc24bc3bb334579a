import { z } from 'zod';

/** What `login` can be asked for. */
export interface LoginArguments {
  readonly provider?: string | undefined;
  readonly code?: string | undefined;
  readonly flow?: 'link' | 'device' | undefined;
  readonly link?: boolean | undefined;
}

/** A provider as far as the arguments of `login` depend on it. */
export interface LoginChoice {
  readonly name: string;
  /** Whether its users may ask for a code instead of a link. */
  readonly hasChoiceOfFlow: boolean;
}

/** The arguments of `login` on a server with these providers, the first of which is the default. */
export function loginInputSchema(providers: readonly LoginChoice[]): z.ZodType<LoginArguments> {
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
  });
  const withCodes = providers.filter(({ hasChoiceOfFlow }) => hasChoiceOfFlow).map(({ name }) => name);
  if (withCodes.length === 0) return schema;
  const where = withCodes.length < names.length ? ` Only at ${withCodes.join(', ')}.` : '';
  return schema.extend({
    flow: z
      .enum(['link', 'device'])
      .optional()
      .describe(
        `How the user logs in. link (default): by a link. device: by a short code that they type in at the provider's own page, on any device; for when the link cannot be opened or does not load in their browser.${where}`,
      ),
  });
}
