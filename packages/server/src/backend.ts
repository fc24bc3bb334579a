import { readFileSync } from 'node:fs';
import type { SessionsOptions } from 'mcp-sessions';
import { z } from 'zod';
import { loadToolsModule } from './tools-module.js';
import type { OperatorUpstream } from './upstream.js';

/** The options of the library that depend on the provider: the operator's own, or the embedded one. */
export interface Backend
  extends Pick<SessionsOptions, 'server' | 'tools' | 'publicUrl' | 'trustedProxies' | 'access'> {
  readonly providers: OperatorUpstream['providers'];
  /** The address of the embedded API; `null` with the operator's own provider. */
  readonly api: string | null;
  /** Called with the URL of the MCP endpoint once the server listens. */
  readonly onListening?: (url: string) => void;
  close(): Promise<void>;
}

/**
 * The operator's own provider and tools.
 *
 * @throws ConfigurationError if the tools cannot be loaded
 */
export async function operatorBackend(upstream: OperatorUpstream): Promise<Backend> {
  const { providers, publicUrl, trustedProxies, toolsModule, access } = upstream;
  return {
    server: { name: 'mcp-sessions', version: packageVersion() },
    tools: await loadToolsModule(toolsModule),
    providers,
    publicUrl,
    trustedProxies,
    access,
    api: null,
    close: () => Promise.resolve(),
  };
}

const packageJson = z.object({ version: z.string() });

/** The version of this package, from its package.json: one folder above this file, in `src` and in `dist`. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return packageJson.parse(JSON.parse(text)).version;
}
