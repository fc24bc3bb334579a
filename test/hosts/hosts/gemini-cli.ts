import { join } from 'node:path';
import { type Host, PROMPT } from '../host.js';

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
  talk: ({ modules, node, model }) => ({
    command: node,
    args: [
      join(modules, '@google/gemini-cli/bundle/gemini.js'),
      ...['-m', 'gemini-2.5-flash', '--yolo', '--skip-trust', '-p', PROMPT],
    ],
    env: { GEMINI_API_KEY: 'none', GOOGLE_GEMINI_BASE_URL: model, GEMINI_CLI_NO_RELAUNCH: 'true' },
  }),
};
