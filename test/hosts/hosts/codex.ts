import { join } from 'node:path';
import { type Host, PROMPT, type Setup } from '../host.js';

const program = ({ modules, node }: Setup) => ({
  command: node,
  program: join(modules, '@openai/codex/bin/codex.js'),
});

export const codex: Host = {
  name: 'codex',
  title: 'Codex CLI',
  files: ({ mcp, model }) => ({
    '.codex/config.toml': `
model = "gpt-5"
model_provider = "stand-in"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.stand-in]
name = "stand-in"
base_url = "${model}/v1"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
[mcp_servers.notes]
url = "${mcp}"
`,
  }),
  talk: (setup) => {
    const { command, program: script } = program(setup);
    const flags = ['--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox'];
    return { command, args: [script, 'exec', ...flags, PROMPT] };
  },
  signIn: (setup) => {
    const { command, program: script } = program(setup);
    return { command, args: [script, 'mcp', 'login', 'notes'] };
  },
};
