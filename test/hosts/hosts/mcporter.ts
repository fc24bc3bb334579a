import { join } from 'node:path';
import type { Setup } from '../host.js';
import { oneShotHost } from '../one-shot-host.js';
import type { Candidate } from '../running-host.js';

const program = ({ modules, home }: Setup) => [
  join(modules, 'mcporter/dist/cli.js'),
  ...['--config', join(home, 'mcporter.json')],
];

export const mcporter: Candidate = oneShotHost({
  name: 'mcporter',
  pin: 'mcporter',
  title: 'mcporter',
  files: ({ mcp }) => ({
    'mcporter.json': JSON.stringify({ mcpServers: { notes: { url: mcp } }, imports: [] }),
  }),
  signIn: (setup) => ({ command: setup.node, args: [...program(setup), 'auth', 'notes'] }),
  run: (setup, call) => ({
    command: setup.node,
    args: [
      ...program(setup),
      ...(call
        ? ['call', `notes.${call.tool}`, '--args', JSON.stringify(call.args), '--output', 'raw']
        : ['list', 'notes', '--json']),
    ],
  }),
  // What it prints as `raw` is JavaScript rather than JSON, and its text is what a user reads.
  read: (output) => {
    try {
      return JSON.parse(output);
    } catch {
      return { content: [{ text: output }] };
    }
  },
});
