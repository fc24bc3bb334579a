import {
  type IdentityProviderProcess,
  type IdentityProviderProcessOptions,
  startIdentityProviderProcess,
} from './identity-provider-process.js';
import { type ServerOptions, type ServerProcess, startServer } from './server-process.js';

export interface DeploymentOptions extends IdentityProviderProcessOptions, ServerOptions {}

/** An identity provider with its API, and the server in front of them: a process each. */
export interface Deployment {
  readonly provider: IdentityProviderProcess;
  readonly server: ServerProcess;
  readonly mcp: string;
  /** Ends both, unless that has been done. */
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
