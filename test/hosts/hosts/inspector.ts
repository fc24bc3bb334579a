import { join } from 'node:path';
import type { Launch, Setup } from '../host.js';
import { oneShotHost } from '../one-shot-host.js';
import type { Candidate } from '../running-host.js';

type Era = 'legacy' | 'modern';

/** The ports of the Inspector's redirect URIs: different ones, so that both variants can run at once. */
const CALLBACKS: Record<Era, string> = {
  legacy: 'http://127.0.0.1:6276/oauth/callback',
  modern: 'http://127.0.0.1:6277/oauth/callback',
};

/** The Inspector's command line. */
function inspector(era: Era): Candidate {
  return oneShotHost({
    name: `inspector-${era}`,
    pin: 'inspector',
    title: `Inspector CLI, \`--protocol-era ${era}\``,
    signIn: (setup) => command(setup, era, '--relogin', '--method', 'tools/list'),
    run: (setup, call) =>
      call
        ? command(setup, era, ...toolCall(call.tool, call.args))
        : command(setup, era, '--method', 'tools/list'),
    read: (output) => resultOf(JSON.parse(output)),
  });
}

function command({ modules, node, mcp }: Setup, era: Era, ...args: readonly string[]): Launch {
  return {
    command: node,
    args: [
      join(modules, '@modelcontextprotocol/inspector/clients/launcher/build/index.js'),
      ...['--cli', '--format', 'json', '--quiet', '--server-url', mcp, '--transport', 'http'],
      ...['--protocol-era', era, '--callback-url', CALLBACKS[era], ...args],
    ],
    // It opens a browser only in a terminal, and loses its tokens without a keychain.
    env: { MCP_AUTO_OPEN_ENABLED: 'true', MCP_INSPECTOR_SECRET_STORE: 'file' },
  };
}

function toolCall(tool: string, args: Readonly<Record<string, unknown>>): string[] {
  return ['--method', 'tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(args)];
}

function resultOf(output: unknown): unknown {
  return typeof output === 'object' && output !== null && 'result' in output ? output.result : output;
}

export const inspectorLegacy: Candidate = inspector('legacy');
export const inspectorModern: Candidate = inspector('modern');
