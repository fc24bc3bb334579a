import type { Configuration } from './configuration.js';
import type { RunningServer } from './server.js';
import type { DemoUpstream } from './upstream.js';

/** The text that is printed when the server is ready: the addresses, and how to connect a client. */
export function announcement(
  { name, addresses, issuers }: RunningServer,
  upstream: Configuration['upstream'],
): string {
  const { mcp, api, metrics } = addresses;
  const vsCode = JSON.stringify({ name, type: 'http', url: mcp });
  const isSample = upstream.kind === 'sample';
  return [
    'Ready. Every client that connects logs in as its own user.',
    ...(isSample ? ['', demoNotice(upstream)] : []),
    '',
    ...table([
      ['MCP server', mcp],
      ...issuers.map((issuer) => ['Identity provider', issuer] as const),
      ...(api === null ? [] : [['Notes API', api] as const]),
      ...(metrics === undefined ? [] : [['Metrics', metrics] as const]),
      ...(isSample ? [['Users', 'alice, bob, carol or any other name, with any password'] as const] : []),
    ]),
    '',
    'Connect a client, then ask it to log in:',
    '',
    ...table([
      ['Claude Code', `claude mcp add --transport http ${name} ${mcp}`],
      ['VS Code', `code --add-mcp '${vsCode}'`],
      [
        'MCP Inspector',
        `npx @modelcontextprotocol/inspector --transport http --server-url ${mcp}   # Node 22 or newer`,
      ],
    ]),
    '',
    'Stop with Ctrl-C.',
    '',
  ].join('\n');
}

/** Why the embedded provider runs, and how to use a real one. */
export function demoNotice({ isAsked }: DemoUpstream): string {
  const reason = isAsked ? 'This is a demo' : 'No provider is configured, so this is a demo';
  return `${reason}: its identity provider accepts any name and password. For your own, run mcp-sessions-server init.`;
}

/** Fits the longest label, so that both tables are aligned. */
const LABEL_WIDTH = 'Identity provider'.length + 2;

function table(rows: ReadonlyArray<readonly [label: string, value: string]>): string[] {
  return rows.map(([label, value]) => `  ${label.padEnd(LABEL_WIDTH)}${value}`);
}
