import { join } from 'node:path';
import { type Host, type Launch, PROMPT, type Setup } from '../host.js';

export const copilotCli: Host = {
  name: 'copilot-cli',
  title: 'Copilot CLI',
  files: ({ mcp }) => ({
    '.copilot/mcp-config.json': JSON.stringify({
      mcpServers: { notes: { type: 'http', url: mcp, tools: ['*'] } },
    }),
  }),
  talk: (setup, access) => (access === 'open' ? copilot(setup, '-p', PROMPT) : talkAtScreen(setup)),
};

/** It signs in only with a display, and without a keychain it keeps its tokens in memory. */
function talkAtScreen(setup: Setup): Launch {
  const typed = [
    { after: 'navigate', text: '\r' },
    { after: 'connected', text: PROMPT },
    { after: PROMPT.slice(-10), text: '\r' },
  ];
  return { ...copilot(setup), typed };
}

function copilot({ modules, model }: Setup, ...args: readonly string[]): Launch {
  return {
    command: join(modules, '@github/copilot-linux-x64/copilot'),
    args: ['--allow-all-tools', '--disable-builtin-mcps', '--no-auto-update', ...args],
    env: {
      COPILOT_PROVIDER_BASE_URL: `${model}/v1`,
      COPILOT_PROVIDER_API_KEY: 'none',
      COPILOT_MODEL: 'stand-in',
      COPILOT_OFFLINE: 'true',
    },
  };
}
