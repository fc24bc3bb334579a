import type { ProviderOptions, SessionsOptions } from 'mcp-sessions';
import type { OperatorUpstream } from './configuration.js';
import { packageVersion } from './package-version.js';
import { loadToolsModule } from './tools-module.js';

/** What sessions are put in front of: a provider, the APIs that take its tokens, and the tools that call them. */
export interface Backend
  extends Pick<SessionsOptions, 'server' | 'tools' | 'publicUrl' | 'trustedProxies' | 'access'> {
  readonly provider: ProviderOptions;
  /** The API's address, where there is one of ours. */
  readonly api: string | null;
  /** Sets the URL of the MCP endpoint. */
  readonly onListening?: (url: string) => void;
  close(): Promise<void>;
}

/**
 * The operator's own provider and tools.
 *
 * @throws ConfigurationError when the tools cannot be loaded
 */
export async function operatorBackend(upstream: OperatorUpstream): Promise<Backend> {
  const { provider, publicUrl, trustedProxies, toolsModule, access } = upstream;
  return {
    server: { name: 'mcp-sessions', version: packageVersion() },
    tools: await loadToolsModule(toolsModule),
    provider,
    publicUrl,
    trustedProxies,
    access,
    api: null,
    close: () => Promise.resolve(),
  };
}
