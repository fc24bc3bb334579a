import type { AccessOptions, BearerAccessOptions, ClientRegistration } from 'mcp-sessions';
import { z } from 'zod';
import { ConfigurationError } from './configuration-error.js';
import type { AccessMode } from './flags.js';
import { checkVariables, givenVariables, PREFIX } from './variables.js';

const needed = 'is missing. Set it, or unset the rest of that registration';

const schema = z.object({
  ACCESS_ISSUER: z.url({ protocol: /^https?$/, error: 'must be the URL of an issuer' }).optional(),
  ACCESS_AUDIENCE: z.string().optional(),
  ACCESS_CLIENT_IDS: z.string().optional(),
  ACCESS_SCOPES: z.string().optional(),
  ACCESS_SUBJECT_CLAIM: z.string().optional(),
  ACCESS_SESSION_CLAIM: z.string().optional(),
  ACCESS_SESSION_PER_CONNECTION: z.enum(['true', 'false'], 'must be true or false').optional(),
  INTROSPECTION_CLIENT_ID: z.string().optional(),
  INTROSPECTION_CLIENT_SECRET: z.string().optional(),
  SIGN_IN_CLIENT_ID: z.string().optional(),
  SIGN_IN_CLIENT_SECRET: z.string().optional(),
});
type Variables = z.infer<typeof schema>;

/**
 * Reads from the `MCP_SESSIONS_` variables which clients are accepted. Empty variables count as not set.
 *
 * @param mode the value of `--access`; `undefined` without the flag
 * @throws ConfigurationError
 */
export function parseAccess(environment: NodeJS.ProcessEnv, mode: AccessMode | undefined): AccessOptions {
  const given = givenVariables(environment, schema);
  const data = checkVariables(schema, given);
  const [first] = Object.keys(given);
  const { ACCESS_ISSUER: issuer } = data;
  if (mode === 'open' || mode === 'open-to-network' || (mode === undefined && first === undefined)) {
    if (first === undefined) return mode ?? 'open';
    throw new ConfigurationError(
      `${PREFIX}${first} needs --access bearer. Add that flag, or unset the variable.`,
    );
  }
  if (issuer === undefined) {
    throw new ConfigurationError(
      `Bearer access needs ${PREFIX}ACCESS_ISSUER: the issuer of the access tokens of clients.`,
    );
  }
  return bearerAccess(issuer, data);
}

function bearerAccess(issuer: string, data: Variables): BearerAccessOptions {
  // The compiler requires every option.
  return {
    issuer,
    audience: data.ACCESS_AUDIENCE,
    clientIds: wordsIn(data.ACCESS_CLIENT_IDS),
    requiredScopes: wordsIn(data.ACCESS_SCOPES),
    subjectClaim: data.ACCESS_SUBJECT_CLAIM,
    sessionClaim: data.ACCESS_SESSION_CLAIM,
    sessionPerConnection: data.ACCESS_SESSION_PER_CONNECTION === 'true',
    introspection: introspectionOf(data),
    signIn: registrationOf('SIGN_IN', data.SIGN_IN_CLIENT_ID, data.SIGN_IN_CLIENT_SECRET),
  } satisfies Record<keyof BearerAccessOptions, unknown>;
}

function wordsIn(list: string | undefined): string[] | undefined {
  return list?.split(/[\s,]+/).filter(Boolean);
}

function introspectionOf(data: Variables): BearerAccessOptions['introspection'] {
  const { INTROSPECTION_CLIENT_ID: clientId, INTROSPECTION_CLIENT_SECRET: clientSecret } = data;
  if (clientId === undefined && clientSecret === undefined) return undefined;
  if (clientId !== undefined && clientSecret !== undefined) return { clientId, clientSecret };
  const missing = clientId === undefined ? 'ID' : 'SECRET';
  throw new ConfigurationError(`${PREFIX}INTROSPECTION_CLIENT_${missing} ${needed}.`);
}

function registrationOf(
  name: string,
  clientId: string | undefined,
  clientSecret: string | undefined,
): ClientRegistration | undefined {
  if (clientId !== undefined) return { clientId, clientSecret };
  if (clientSecret === undefined) return undefined;
  throw new ConfigurationError(`${PREFIX}${name}_CLIENT_ID ${needed}.`);
}
