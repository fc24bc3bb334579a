import { createSessions, type ProviderCheck, type ProviderReport } from 'mcp-sessions';
import { packageVersion } from './backend.js';
import type { CheckConfiguration } from './configuration.js';
import { variableOf, withVariables } from './provider-environment.js';

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
 * Checks the operator's provider and, in bearer access, the authorization server of the clients. Serves nothing.
 * @param columns the width of the terminal, at which lines are wrapped. Absent: lines are not wrapped
 * @throws SessionError `configuration`
 */
export async function checkProviders(
  { provider, publicUrl, access, isJson }: CheckConfiguration,
  columns: number = Number.POSITIVE_INFINITY,
): Promise<CheckOutput> {
  const sessions = createSessions({
    server: { name: 'mcp-sessions', version: packageVersion() },
    tools: () => undefined,
    providers: provider,
    publicUrl,
    access,
  });
  const reports = await sessions.checkProviders();
  await sessions.close({ drainMs: 0 });
  const text = isJson ? JSON.stringify(reports.map(withVariableNames)) : tablesOf(reports, columns);
  return { text: `${text}\n`, exitCode: reports.every(({ ok }) => ok) ? 0 : 1 };
}

/** A report with the variables of each setting, as the table names them. */
function withVariableNames({ provider, checks, ...report }: ProviderReport): object {
  const named = checks.map(({ setting, ...check }) => ({
    ...check,
    ...(setting !== undefined && { setting, variables: variablesOf(provider, setting) }),
  }));
  return { provider, ...report, checks: named };
}

/** The reports as text: a line for each check, below it what to do, and at the end what has failed. */
export function tablesOf(reports: readonly ProviderReport[], columns: number): string {
  const tableOf = ({ provider, checks }: ProviderReport) =>
    [provider, ...checks.flatMap((each) => linesOf(provider, each, columns))].join('\n');
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

function linesOf(provider: string, each: ProviderCheck, columns: number): string[] {
  const { check, result, found } = each;
  const lines = wrapped(`${SIGNS[result]} ${check.padEnd(NAME_WIDTH)} `, found, FOUND_INDENT, columns);
  const whatToDo = whatToDoAbout(provider, each);
  return whatToDo === undefined
    ? lines
    : [...lines, ...wrapped(ADVICE_INDENT, whatToDo, ADVICE_INDENT, columns)];
}

/** The advice of a check, with the variables to change. `undefined`: there is nothing to do. */
export function whatToDoAbout(provider: string, { advice, setting }: ProviderCheck): string | undefined {
  if (advice === undefined) return undefined;
  const text = isAccess(provider) ? advice : withVariables(advice);
  const variables = setting === undefined ? [] : variablesOf(provider, setting);
  const areNamed = variables.every((variable) => text.includes(variable));
  return areNamed ? text : `Change ${variables.join(', ')}: ${text}`;
}

/** The variables of the authorization server of the clients. Its other options have none. */
const ACCESS_VARIABLES: ReadonlyMap<string, string> = new Map([
  ['issuer', 'MCP_SESSIONS_ACCESS_ISSUER'],
  ['clientId', 'MCP_SESSIONS_SIGN_IN_CLIENT_ID'],
  ['clientSecret', 'MCP_SESSIONS_SIGN_IN_CLIENT_SECRET'],
]);

/** Whether a report is of the authorization server of the clients. */
export function isAccess(provider: string): boolean {
  return provider === 'access' || provider === 'access.signIn';
}

/** The variables of the options in `setting`, of a provider or of the authorization server of the clients. */
export function variablesOf(provider: string, setting: string): string[] {
  const options = setting.split(', ');
  if (!isAccess(provider)) return options.map(variableOf);
  return options.flatMap((option) => ACCESS_VARIABLES.get(option) ?? (/[a-z]/.test(option) ? [] : [option]));
}

/** A text in lines of at most `columns` characters. Words are not broken: they can be addresses to copy. */
function wrapped(start: string, text: string, indent: string, columns: number): string[] {
  const lines: string[] = [];
  let line = start;
  let isEmpty = true;
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = indent;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}
