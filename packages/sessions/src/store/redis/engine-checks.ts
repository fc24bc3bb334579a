import { SessionError } from '../../errors.js';
import type { Commands } from './engine.js';

/** The part of memory above which the operator is warned. */
const MEMORY_WARNING = 0.8;
/** Redis 6.2; every Valkey. */
const MIN_VERSION = [6, 2] as const;

/** One engine, the primary or a replica, and how to reach it in a message. */
export interface CheckedEngine {
  readonly name: string;
  readonly commands: Commands;
}

/** The address of a replica, as its primary announces it. */
export interface ReplicaAddress {
  readonly host: string;
  readonly port: number;
}

/** What a check of the primary has found. */
export interface PrimaryReport {
  /** Changes with every start of an engine. */
  readonly runId: string;
  readonly replicas: readonly ReplicaAddress[];
  readonly warnings: readonly string[];
}

/**
 * Checks the settings of a primary: its version, that it writes nothing to disk, and that it evicts no keys.
 * @throws SessionError `configuration`, which says what to change
 */
export async function checkPrimary(
  engine: CheckedEngine,
  allowsPersistence: boolean,
): Promise<PrimaryReport> {
  const server = await infoOf(engine, 'server');
  const [major = 0, minor = 0] = (server.get('redis_version') ?? '').split('.').map(Number);
  if (major < MIN_VERSION[0] || (major === MIN_VERSION[0] && minor < MIN_VERSION[1]))
    throw refused(
      engine,
      `is version ${major}.${minor}`,
      `Use Redis ${MIN_VERSION.join('.')} or newer, or Valkey`,
    );
  if (!allowsPersistence) await checkPersistence(engine, ['repl-diskless-sync', 'yes']);
  const policy = await settingOf(engine, 'maxmemory-policy');
  if (policy !== 'noeviction')
    throw refused(engine, `evicts keys (${policy})`, 'Set `maxmemory-policy noeviction`');
  const replication = await infoOf(engine, 'replication');
  const replicas = [...replication]
    .filter(([name]) => /^slave\d+$/.test(name))
    .flatMap(([, value]) => addressOf(value));
  const runId = server.get('run_id') ?? '';
  return { runId, replicas, warnings: memoryWarnings(engine, await infoOf(engine, 'memory')) };
}

/** Commands by which a user of an engine makes it write its data to disk. */
const WRITING = [['BGSAVE'], ['CONFIG', 'SET', 'save', '60 1']] as const;

/**
 * Warns of a user that can make the engine write to disk. There is no warning if the engine is older than Redis 7, or
 * the user may not use `ACL DRYRUN`.
 */
export async function rightsWarnings({ name, commands }: CheckedEngine, user: string): Promise<string[]> {
  const allowed: string[] = [];
  for (const command of WRITING) {
    try {
      const answer = await commands.callBuffer('ACL', ['DRYRUN', user, ...command]);
      if (String(answer) === 'OK') allowed.push(command.slice(0, 2).join(' '));
    } catch {
      // Older than 7.0, or the user may not ask.
    }
  }
  if (allowed.length === 0) return [];
  return [
    `The user "${user}" of the engine at ${name} can make it write sessions to disk (${allowed.join(', ')}). Use one with fewer rights: docs/cluster.md lists them, and \`mcp-sessions-server check\` prints them.`,
  ];
}

/** Checks that a replica writes nothing to disk. @throws SessionError as `checkPrimary` */
export async function checkReplica(engine: CheckedEngine): Promise<void> {
  await checkPersistence(engine, ['repl-diskless-load', 'swapdb']);
}

/** Without any one of these settings, a dump with sealed records was observed on disk. */
async function checkPersistence(
  engine: CheckedEngine,
  [setting, value]: readonly [string, string],
): Promise<void> {
  for (const [name, expected, shown] of [
    ['save', '', '""'],
    ['appendonly', 'no', 'no'],
    [setting, value, value],
  ] as const) {
    const found = await settingOf(engine, name);
    if (found !== expected)
      throw refused(engine, `may write sessions to disk (\`${name} ${found}\`)`, `Set \`${name} ${shown}\``);
  }
}

async function settingOf(engine: CheckedEngine, name: string): Promise<string | undefined> {
  let reply: unknown;
  try {
    reply = await engine.commands.callBuffer('CONFIG', ['GET', name]);
  } catch (cause) {
    if (!(cause instanceof Error) || !/NOPERM|unknown command/i.test(cause.message)) throw cause;
    const message = `The engine at ${engine.name} does not let this server check its settings. Allow its user \`+config|get +info\`.`;
    throw new SessionError('configuration', message, { cause });
  }
  const [, value] = Array.isArray(reply) ? reply : [];
  return value === undefined ? undefined : String(value);
}

async function infoOf({ commands }: CheckedEngine, section: string): Promise<Map<string, string>> {
  const text = String(await commands.callBuffer('INFO', [section]));
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

/** `ip=10.0.0.2,port=6379,state=online,…` */
function addressOf(value: string): ReplicaAddress[] {
  const fields = new Map(value.split(',').map((field) => field.split('=') as [string, string]));
  const [host, port] = [fields.get('ip'), Number(fields.get('port'))];
  return host === undefined ? [] : [{ host, port }];
}

function memoryWarnings({ name }: CheckedEngine, memory: Map<string, string>): string[] {
  const [used, max] = [Number(memory.get('used_memory')), Number(memory.get('maxmemory'))];
  if (max === 0)
    return [`The engine at ${name} has no \`maxmemory\`: it may take all memory of its machine.`];
  if (used <= max * MEMORY_WARNING) return [];
  return [`The engine at ${name} has used ${Math.round((100 * used) / max)} % of its \`maxmemory\`.`];
}

function refused({ name }: CheckedEngine, why: string, remedy: string): SessionError {
  return new SessionError('configuration', `The engine at ${name} ${why}. ${remedy}.`);
}
