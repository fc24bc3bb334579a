import { join } from 'node:path';
import { type Host, PROMPT } from '../host.js';

export const copilotCli: Host = {
  name: 'copilot-cli',
  title: 'Copilot CLI',
  files: ({ mcp }) => ({
    '.copilot/mcp-config.json': JSON.stringify({
      mcpServers: { notes: { type: 'http', url: mcp, tools: ['*'] } },
    }),
  }),
  talk: ({ modules, model }) => ({
    command: join(modules, '@github/copilot-linux-x64/copilot'),
    args: ['--allow-all-tools', '--disable-builtin-mcps', '--no-auto-update', '-p', PROMPT],
    env: {
      COPILOT_PROVIDER_BASE_URL: `${model}/v1`,
      COPILOT_PROVIDER_API_KEY: 'none',
      COPILOT_MODEL: 'stand-in',
      COPILOT_OFFLINE: 'true',
    },
  }),
};
