import { createSessions, type ProviderCheck, type ProviderReport } from 'mcp-sessions';
import { packageVersion } from './backend.js';
import type { CheckConfiguration } from './configuration.js';
import { variableOf } from './provider-environment.js';

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

/**
 * Checks the operator's provider and, in bearer access, the authorization server of the clients. Serves nothing.
 * @throws SessionError `configuration`
 */
export async function checkProviders({
  provider,
  publicUrl,
  access,
  isJson,
}: CheckConfiguration): Promise<CheckOutput> {
  const sessions = createSessions({
    server: { name: 'mcp-sessions', version: packageVersion() },
    tools: () => undefined,
    providers: provider,
    publicUrl,
    access,
  });
  const reports = await sessions.checkProviders();
  await sessions.close({ drainMs: 0 });
  const text = isJson ? JSON.stringify(reports) : reports.map(tableOf).join('\n\n');
  return { text: `${text}\n`, exitCode: reports.every(({ ok }) => ok) ? 0 : 1 };
}

function tableOf({ provider, checks }: ProviderReport): string {
  return [provider, ...checks.flatMap(linesOf)].join('\n');
}

function linesOf({ check, result, found, advice, setting }: ProviderCheck): string[] {
  const line = `${SIGNS[result]} ${check.padEnd(NAME_WIDTH)} ${found}`;
  if (advice === undefined) return [line];
  const variables = setting === undefined ? [] : setting.split(', ').map(variableOf);
  const change = variables.length > 0 ? `Change ${variables.join(', ')}: ` : '';
  return [line, `    ${change}${advice}`];
}
