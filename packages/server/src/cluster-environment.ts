import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { ConfigurationError } from './configuration-error.js';
import { checkVariables, givenVariables, words } from './variables.js';

/** The engine that this server shares with others, as options of `redisCluster`. */
export interface ClusterSettings {
  readonly url?: string | undefined;
  readonly sentinels?: { readonly host: string; readonly port: number }[] | undefined;
  readonly sentinelName?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly namespace?: string | undefined;
  readonly keys: string[];
}

const schema = z.object({
  REDIS_URL: z.string().optional(),
  REDIS_SENTINELS: words.optional(),
  REDIS_SENTINEL_NAME: z.string().optional(),
  REDIS_USERNAME: z.string().optional(),
  REDIS_PASSWORD: z.string().optional(),
  REDIS_NAMESPACE: z.string().optional(),
  MASTER_KEYS: words.optional(),
  MASTER_KEYS_FILE: z.string().optional(),
});

const DEFAULT_SENTINEL_PORT = 26_379;
/** The permissions of the group and of others. */
const NOT_OWNER = 0o077;

/**
 * Reads the engine and the master keys from the `MCP_SESSIONS_` variables. The library validates them.
 * @returns `undefined` without an engine
 * @throws ConfigurationError
 */
export function parseCluster(environment: NodeJS.ProcessEnv): ClusterSettings | undefined {
  const given = checkVariables(schema, givenVariables(environment, schema));
  const { REDIS_URL, REDIS_SENTINELS, MASTER_KEYS, MASTER_KEYS_FILE } = given;
  if (REDIS_URL === undefined && REDIS_SENTINELS === undefined) {
    if (MASTER_KEYS === undefined && MASTER_KEYS_FILE === undefined) return undefined;
    throw new ConfigurationError(
      'There are master keys but no engine. Set MCP_SESSIONS_REDIS_URL or MCP_SESSIONS_REDIS_SENTINELS, or unset the keys.',
    );
  }
  const keys = MASTER_KEYS_FILE === undefined ? MASTER_KEYS : keysIn(MASTER_KEYS_FILE);
  if (!keys) {
    throw new ConfigurationError(
      'An engine needs master keys. Write the output of `mcp-sessions-server keygen` to a file that only its owner can read, and set MCP_SESSIONS_MASTER_KEYS_FILE.',
    );
  }
  return {
    url: REDIS_URL,
    sentinels: REDIS_SENTINELS?.map(sentinelOf),
    sentinelName: given.REDIS_SENTINEL_NAME,
    username: given.REDIS_USERNAME,
    password: given.REDIS_PASSWORD,
    namespace: given.REDIS_NAMESPACE,
    keys,
  };
}

/** A new master key: an id and 32 random bytes. */
export function newMasterKey(): string {
  return `${randomBytes(4).toString('hex')}:${randomBytes(32).toString('base64')}`;
}

function keysIn(path: string): string[] {
  let text: string;
  let mode: number;
  try {
    ({ mode } = statSync(path));
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigurationError(`MCP_SESSIONS_MASTER_KEYS_FILE: ${path} cannot be read.`, { cause });
  }
  if (process.platform !== 'win32' && (mode & NOT_OWNER) !== 0) {
    throw new ConfigurationError(
      `MCP_SESSIONS_MASTER_KEYS_FILE: other users can read ${path}. Run: chmod 600 ${path}`,
    );
  }
  return text.split(/\s+/).filter(Boolean);
}

function sentinelOf(address: string): { host: string; port: number } {
  const [, host = address, port] = /^(.*):(\d+)$/.exec(address) ?? [];
  return { host, port: port === undefined ? DEFAULT_SENTINEL_PORT : Number(port) };
}
