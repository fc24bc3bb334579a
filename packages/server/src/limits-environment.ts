import type { Limits } from 'mcp-sessions';
import { z } from 'zod';
import { checkVariables, givenVariables, json } from './variables.js';

const NO_NUMBERS = 'must be a JSON object whose values are numbers';

const schema = z.object({
  LIMITS: json.pipe(z.record(z.string(), z.number(NO_NUMBERS), NO_NUMBERS)).optional(),
});

/**
 * Reads from `MCP_SESSIONS_LIMITS` which limits are not the default ones. Which there are, and what they may be,
 * the library says.
 *
 * @throws ConfigurationError
 */
export function parseLimits(environment: NodeJS.ProcessEnv): Partial<Limits> {
  return checkVariables(schema, givenVariables(environment, schema)).LIMITS ?? {};
}
