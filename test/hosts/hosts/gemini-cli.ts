import { join } from 'node:path';
import { type Host, type Launch, PROMPT, type Setup } from '../host.js';

export const geminiCli: Host = {
  name: 'gemini-cli',
  title: 'Gemini CLI',
  files: ({ mcp }) => ({
    '.gemini/settings.json': JSON.stringify({
      security: { auth: { selectedType: 'gemini-api-key' } },
      privacy: { usageStatisticsEnabled: false },
      telemetry: { enabled: false },
      general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
      mcpServers: { notes: { httpUrl: mcp, trust: true } },
    }),
  }),
  talk: (setup) => gemini(setup, '--yolo', '-p', PROMPT),
  signIn: (setup) => ({
    ...gemini(setup),
    typed: [
      { after: 'MCP server', text: '/mcp auth notes' },
      { after: 'auth notes', text: '\r' },
      { after: 'Do you want to continue', text: '\r' },
      { after: 'Successfully authenticated', text: '/quit' },
      { after: '/quit', text: '\r' },
    ],
  }),
};

function gemini({ modules, node, model }: Setup, ...args: readonly string[]): Launch {
  return {
    command: node,
    args: [
      join(modules, '@google/gemini-cli/bundle/gemini.js'),
      ...['-m', 'gemini-2.5-flash', '--skip-trust', ...args],
    ],
    env: { GEMINI_API_KEY: 'none', GOOGLE_GEMINI_BASE_URL: model, GEMINI_CLI_NO_RELAUNCH: 'true' },
  };
}
