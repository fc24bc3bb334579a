import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { ConfigurationError } from './configuration-error.js';
import type { EffectiveSettings } from './settings/effective-settings.js';
import { readSecret } from './settings/secret.js';

/** The engine that this server shares with others, as options of `redisCluster`. */
export interface ClusterSettings {
  readonly url?: string | undefined;
  readonly sentinels?: { readonly host: string; readonly port: number }[] | undefined;
  readonly sentinelName?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly sentinelPassword?: string | undefined;
  readonly namespace?: string | undefined;
  readonly keys: string[];
}

const DEFAULT_SENTINEL_PORT = 26_379;
/** The permissions of the group and of others. */
const NOT_OWNER = 0o077;

/**
 * The engine and the master keys. The library validates them.
 * @returns `undefined` without an engine
 * @throws ConfigurationError
 */
export function clusterOf(
  { settings, nameOf }: EffectiveSettings,
  transport: 'http' | 'stdio',
  upstream: 'sample' | 'operator',
): ClusterSettings | undefined {
  const { url, sentinels, keys, keysFile, ...others } = settings.cluster ?? {};
  const { password, passwordFile, sentinelPassword, sentinelPasswordFile, ...rest } = others;
  const urlName = nameOf(['cluster', 'url']);
  const sentinelsName = nameOf(['cluster', 'sentinels']);
  if (url === undefined && sentinels === undefined) {
    if (keys === undefined && keysFile === undefined) return undefined;
    throw new ConfigurationError(
      `There are master keys but no engine. Set ${urlName} or ${sentinelsName}, or unset the keys.`,
    );
  }
  if (transport === 'stdio') {
    throw new ConfigurationError(
      `With --stdio, there is one client, and no server to share its session with. Unset ${urlName} and ${sentinelsName}.`,
    );
  }
  if (upstream === 'sample') {
    throw new ConfigurationError(
      'Each server has an embedded identity provider of its own, so servers cannot share its logins. Set MCP_SESSIONS_ISSUER or MCP_SESSIONS_PROVIDER to use a real one.',
    );
  }
  const keysName = nameOf(['cluster', 'keysFile']);
  const masterKeys = keysFile === undefined ? keys : keysIn(keysFile, keysName);
  if (!masterKeys) {
    throw new ConfigurationError(
      `An engine needs master keys. Write the output of \`mcp-sessions-server keygen\` to a file that only its owner can read, and set ${keysName}.`,
    );
  }
  const passwordName = () => nameOf(['cluster', 'passwordFile']);
  const sentinelPasswordName = () => nameOf(['cluster', 'sentinelPasswordFile']);
  return {
    url,
    sentinels: sentinels?.map(sentinelOf),
    ...rest,
    password: readSecret({ value: password, file: passwordFile }, {}, passwordName),
    sentinelPassword: readSecret(
      { value: sentinelPassword, file: sentinelPasswordFile },
      {},
      sentinelPasswordName,
    ),
    keys: masterKeys,
  };
}

/** A new master key: an id and 32 random bytes. */
export function newMasterKey(): string {
  return `${randomBytes(4).toString('hex')}:${randomBytes(32).toString('base64')}`;
}

function keysIn(path: string, name: string): string[] {
  let text: string;
  let mode: number;
  try {
    ({ mode } = statSync(path));
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigurationError(`${name}: ${path} cannot be read.`, { cause });
  }
  if (process.platform !== 'win32' && (mode & NOT_OWNER) !== 0) {
    throw new ConfigurationError(`${name}: other users can read ${path}. Run: chmod 600 ${path}`);
  }
  return text.split(/\s+/).filter(Boolean);
}

function sentinelOf(address: string): { host: string; port: number } {
  const [, host = address, port] = /^(.*):(\d+)$/.exec(address) ?? [];
  return { host, port: port === undefined ? DEFAULT_SENTINEL_PORT : Number(port) };
}
