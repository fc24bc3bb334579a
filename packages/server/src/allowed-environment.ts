import { z } from 'zod';
import { checkVariables, givenVariables } from './variables.js';

/** Who may address the server, besides its public URL, and whose pages may call it. What is absent: none. */
export interface Allowed {
  readonly allowedHosts?: string[] | undefined;
  readonly allowedOrigins?: string[] | undefined;
}

const words = z.string().transform((value) => value.split(/[\s,]+/).filter(Boolean));

const schema = z.object({ ALLOWED_HOSTS: words.optional(), ALLOWED_ORIGINS: words.optional() });

/** Where the MCP Inspector's page is. */
const INSPECTOR_ORIGINS = ['http://localhost:6274', 'http://127.0.0.1:6274'];

/**
 * Reads from the `MCP_SESSIONS_` variables who may call. What hosts and origins may be, the library says.
 *
 * @param isDemo whether users and their data are made up: then the MCP Inspector may call unless something else is said.
 * For real data that would be too much, for any page on that port of this machine could read it.
 */
export function parseAllowed(environment: NodeJS.ProcessEnv, isDemo: boolean): Allowed {
  const { ALLOWED_HOSTS, ALLOWED_ORIGINS } = checkVariables(schema, givenVariables(environment, schema));
  return {
    allowedHosts: ALLOWED_HOSTS,
    allowedOrigins: ALLOWED_ORIGINS ?? (isDemo ? INSPECTOR_ORIGINS : undefined),
  };
}
