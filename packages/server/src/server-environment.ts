import type { Limits } from 'mcp-sessions';
import { z } from 'zod';
import { checkVariables, givenVariables, json, words } from './variables.js';

/** The hosts and origins that the server accepts besides those of its public URL. Default: none. */
export interface Allowed {
  readonly allowedHosts?: string[] | undefined;
  readonly allowedOrigins?: string[] | undefined;
}

const allowedSchema = z.object({ ALLOWED_HOSTS: words.optional(), ALLOWED_ORIGINS: words.optional() });

/** The origins of the MCP Inspector's page. */
const INSPECTOR_ORIGINS = ['http://localhost:6274', 'http://127.0.0.1:6274'];

/**
 * Reads the accepted hosts and origins from the `MCP_SESSIONS_` variables. The library validates them.
 *
 * @param isDemo whether users and their data are made up. The MCP Inspector's origins are then the default. Real data
 * must not be exposed to every page on that port of this machine.
 */
export function parseAllowed(environment: NodeJS.ProcessEnv, isDemo: boolean): Allowed {
  const { ALLOWED_HOSTS, ALLOWED_ORIGINS } = checkVariables(
    allowedSchema,
    givenVariables(environment, allowedSchema),
  );
  return {
    allowedHosts: ALLOWED_HOSTS,
    allowedOrigins: ALLOWED_ORIGINS ?? (isDemo ? INSPECTOR_ORIGINS : undefined),
  };
}

const NO_NUMBERS = 'must be a JSON object whose values are numbers';

const limitsSchema = z.object({
  LIMITS: json.pipe(z.record(z.string(), z.number(NO_NUMBERS), NO_NUMBERS)).optional(),
});

/**
 * Reads the limits that differ from the defaults from `MCP_SESSIONS_LIMITS`. The library validates them.
 *
 * @throws ConfigurationError
 */
export function parseLimits(environment: NodeJS.ProcessEnv): Partial<Limits> {
  return checkVariables(limitsSchema, givenVariables(environment, limitsSchema)).LIMITS ?? {};
}
