import {
  type IdentityProviderProcess,
  type IdentityProviderProcessOptions,
  startIdentityProviderProcess,
} from './identity-provider-process.js';
import { type ServerOptions, type ServerProcess, startServer } from './server-process.js';

export interface DeploymentOptions extends IdentityProviderProcessOptions, ServerOptions {}

/** An identity provider with its API, and a server, in one process each. */
export interface Deployment {
  readonly provider: IdentityProviderProcess;
  readonly server: ServerProcess;
  readonly mcp: string;
  /** Ends both processes. */
  stop(): Promise<void>;
}

export async function startDeployment({
  accessTokenSeconds,
  flags = [],
  environment = {},
  ...options
}: DeploymentOptions = {}): Promise<Deployment> {
  const provider = await startIdentityProviderProcess(accessTokenSeconds ? { accessTokenSeconds } : {});
  let server: ServerProcess;
  try {
    server = await startServer({
      ...options,
      flags: [...provider.serverFlags, ...flags],
      environment: { ...provider.serverEnvironment, ...environment },
    });
  } catch (error) {
    await provider.stop();
    throw error;
  }
  return {
    provider,
    server,
    mcp: server.addresses.mcp,
    async stop() {
      await server.stop();
      await provider.stop();
    },
  };
}
