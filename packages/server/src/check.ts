import { createSessions, type ProviderCheck, type ProviderReport } from 'mcp-sessions';
import type { MasterKeysInUse } from 'mcp-sessions/redis';
import { packageVersion } from './backend.js';
import type { CheckConfiguration } from './command.js';
import type { SettingNames } from './setting-names.js';
import { wrapped } from './wrapped.js';

/** What the command prints on stdout, and its exit code: 1 if a check has failed. */
export interface CheckOutput {
  readonly text: string;
  readonly exitCode: 0 | 1;
}

const SIGNS: Readonly<Record<ProviderCheck['result'], string>> = {
  ok: '✓',
  failed: '✗',
  unknown: '?',
  unused: '–',
};
const NAME_WIDTH = 23;
const FOUND_INDENT = ' '.repeat(NAME_WIDTH + 3);
const ADVICE_INDENT = ' '.repeat(4);

/**
 * Checks the operator's providers and, in bearer access, the authorization server of the clients. Serves nothing.
 * @param columns the width of the terminal, at which lines are wrapped. Absent: lines are not wrapped
 * @throws SessionError `configuration`
 */
export async function checkProviders(
  { providers, publicUrl, access, isJson, names, cluster }: CheckConfiguration,
  columns: number = Number.POSITIVE_INFINITY,
): Promise<CheckOutput> {
  const sessions = createSessions({
    server: { name: 'mcp-sessions', version: packageVersion() },
    tools: () => undefined,
    providers,
    publicUrl,
    access,
  });
  const reports = await sessions.checkProviders();
  await sessions.close({ drainMs: 0 });
  const engine = isJson ? undefined : await engineCheckOf(cluster);
  const text = isJson
    ? JSON.stringify(reports.map((report) => withNames(report, names)))
    : [tablesOf(reports, columns, names), ...(engine?.texts ?? [])].join('\n\n');
  const isOk = reports.every(({ ok }) => ok) && !engine?.lacksKey;
  return { text: `${text}\n`, exitCode: isOk ? 0 : 1 };
}

/** The master keys in use, and the rights that the user of the engine needs, on one line, to be copied. */
async function engineCheckOf(
  cluster: CheckConfiguration['cluster'],
): Promise<{ texts: string[]; lacksKey: boolean } | undefined> {
  if (!cluster) return undefined;
  // Imported here, so that a server without an engine loads nothing of it.
  const { leastRights, masterKeysInUse } = await import('mcp-sessions/redis');
  const { namespace, username = 'sessions' } = cluster;
  const own = cluster.keys.map((key) => key.slice(0, key.indexOf(':')));
  const keys = await masterKeysInUse(cluster).then(
    (inUse) => keyLinesOf(inUse, own),
    (error: unknown) => [`${SIGNS.unknown} ${error instanceof Error ? error.message : String(error)}`],
  );
  const texts = [
    ['The master keys of the engine:', ...keys].join('\n'),
    `The fewest rights of the user of the engine:\nACL SETUSER ${username} on >PASSWORD ${leastRights(namespace)}`,
  ];
  return { texts, lacksKey: keys.some((line) => line.startsWith(SIGNS.failed)) };
}

/** A line for each master key: whether there are records under it, and how many servers seal with it. */
export function keyLinesOf({ records, servers }: MasterKeysInUse, own: readonly string[]): string[] {
  const ids = new Set([...own, ...records, ...servers.flat()]);
  return [...ids].map((id) => {
    const isUsed = records.includes(id);
    const sealing = servers.filter(([first]) => first === id).length;
    const found = `${isUsed ? 'records' : 'no record'}, first key of ${sealing} of ${servers.length} servers`;
    if (isUsed && !own.includes(id)) return `${SIGNS.failed} ${id}: ${found}. This configuration lacks it`;
    return `${isUsed ? SIGNS.ok : SIGNS.unused} ${id}: ${found}`;
  });
}

/** A report with the names of each setting, as the table has them. */
function withNames({ provider, checks, ...report }: ProviderReport, names: SettingNames): object {
  const named = checks.map(({ setting, ...check }) => ({
    ...check,
    ...(setting !== undefined && { setting, variables: names.of(provider, setting) }),
  }));
  return { provider, ...report, checks: named };
}

/** The reports as text: a line for each check, below it what to do, and at the end what has failed. */
export function tablesOf(reports: readonly ProviderReport[], columns: number, names: SettingNames): string {
  const tableOf = ({ provider, checks }: ProviderReport) =>
    [
      provider,
      ...checks.flatMap((each) => linesOf(each, whatToDoAbout(provider, each, names), columns)),
    ].join('\n');
  return [...reports.map(tableOf), wrapped('', summaryOf(reports), '', columns).join('\n')].join('\n\n');
}

function summaryOf(reports: readonly ProviderReport[]): string {
  const failed = reports.flatMap(({ provider, checks }) =>
    checks
      .filter(({ result }) => result === 'failed')
      .map(({ check }) => (reports.length > 1 ? `${check} of ${provider}` : check)),
  );
  return failed.length > 0
    ? `Failed: ${failed.join(', ')}. Change what is below each ✗, then run this command again.`
    : 'No check has failed. Start the server and log in: only that shows what has a ?.';
}

function linesOf(
  { check, result, found }: ProviderCheck,
  whatToDo: string | undefined,
  columns: number,
): string[] {
  const lines = wrapped(`${SIGNS[result]} ${check.padEnd(NAME_WIDTH)} `, found, FOUND_INDENT, columns);
  return whatToDo === undefined
    ? lines
    : [...lines, ...wrapped(ADVICE_INDENT, whatToDo, ADVICE_INDENT, columns)];
}

/** The advice of a check, with the settings to change. `undefined`: there is nothing to do. */
export function whatToDoAbout(
  provider: string,
  { advice, setting }: ProviderCheck,
  names: SettingNames,
): string | undefined {
  if (advice === undefined) return undefined;
  const text = names.inText(provider, advice);
  const settings = setting === undefined ? [] : names.of(provider, setting);
  const areNamed = settings.every((name) => text.includes(name));
  return areNamed ? text : `Change ${settings.join(', ')}: ${text}`;
}
