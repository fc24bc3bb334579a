import { join } from 'node:path';
import { type Host, PROMPT, type Setup } from '../host.js';

const environment = ({ model }: Setup) => ({
  ANTHROPIC_BASE_URL: model,
  ANTHROPIC_API_KEY: 'none',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  DISABLE_AUTOUPDATER: '1',
  // All tools are offered at once, so that the model need not search for them first.
  ENABLE_TOOL_SEARCH: 'false',
  IS_SANDBOX: '1',
});

const program = ({ modules }: Setup) => join(modules, '@anthropic-ai/claude-code-linux-x64/claude');

/** Without a user, as in scripts: its questions are cancelled. */
export const claudeCodePrint: Host = {
  name: 'claude-code-print',
  pin: 'claude-code',
  title: 'Claude Code, `-p`',
  files: ({ mcp }) => ({
    '.claude.json': JSON.stringify({ mcpServers: { notes: { type: 'http', url: mcp } } }),
  }),
  talk: (setup) => ({
    command: program(setup),
    args: ['-p', PROMPT, '--allowedTools', 'mcp__notes'],
    env: environment(setup),
  }),
  signIn: (setup) => ({
    command: program(setup),
    args: ['mcp', 'login', 'notes'],
    env: environment(setup),
    typed: [],
  }),
};

/** With a user who agrees to open links: a hook answers the question. */
export const claudeCode: Host = {
  ...claudeCodePrint,
  name: 'claude-code',
  title: 'Claude Code',
  files: (setup) => ({
    ...claudeCodePrint.files?.(setup),
    '.claude/settings.json': JSON.stringify({
      hooks: { Elicitation: [{ hooks: [{ type: 'command', command: join(setup.home, 'bin/agree') }] }] },
    }),
  }),
};
