import { join } from 'node:path';
import { type Host, PROMPT, type Setup } from '../host.js';

const program = ({ modules }: Setup) => join(modules, 'opencode-linux-x64/bin/opencode');
const env = {
  OPENCODE_DISABLE_AUTOUPDATE: 'true',
  OPENCODE_DISABLE_MODELS_FETCH: 'true',
  OPENCODE_DISABLE_LSP_DOWNLOAD: 'true',
  OPENCODE_DISABLE_DEFAULT_PLUGINS: 'true',
};

export const opencode: Host = {
  name: 'opencode',
  title: 'opencode',
  files: ({ mcp, model }) => ({
    '.config/opencode/opencode.json': JSON.stringify({
      autoupdate: false,
      share: 'disabled',
      model: 'stand-in/stand-in',
      provider: {
        'stand-in': {
          npm: '@ai-sdk/openai-compatible',
          name: 'stand-in',
          options: { baseURL: `${model}/v1`, apiKey: 'none' },
          models: { 'stand-in': { name: 'stand-in', tool_call: true } },
        },
      },
      mcp: { notes: { type: 'remote', url: mcp, enabled: true } },
      permission: 'allow',
    }),
  }),
  talk: (setup) => ({ command: program(setup), args: ['run', PROMPT], env }),
  signIn: (setup) => ({ command: program(setup), args: ['mcp', 'auth', 'notes'], env }),
};
