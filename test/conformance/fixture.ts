/** The server for the conformance suite, with the tools, resources and prompts that it requires. */
import { createSessions, type Dispatch } from 'mcp-sessions';
import { registerContentTools } from './content-tools.js';
import { registerInputRequiredTools, requestState } from './input-required-tools.js';
import { registerPrompts } from './prompts.js';
import { registerResources } from './resources.js';
import { registerServerRequestTools } from './server-request-tools.js';

export interface Fixture {
  readonly url: string;
  close(): Promise<void>;
}

export async function startFixture(dispatch: Dispatch): Promise<Fixture> {
  const sessions = createSessions({
    server: {
      name: 'mcp-sessions-conformance',
      version: '0.0.0',
      requestState,
      capabilities: {
        // Lists never change with a login (security requirement 55), so `listChanged` is false.
        tools: { listChanged: false },
        prompts: { listChanged: false },
        resources: { listChanged: false, subscribe: true },
        completions: {},
        logging: {},
      },
    },
    tools: (server) => {
      registerContentTools(server);
      registerServerRequestTools(server);
      registerInputRequiredTools(server);
      registerResources(server);
      registerPrompts(server);
    },
    dispatch,
    // No scenario logs in, so the provider gets no request. The discard port has no listener.
    providers: { issuer: 'http://127.0.0.1:9/', clientId: 'conformance' },
  });
  const { url } = await sessions.listen({ port: 0 });
  return { url, close: () => sessions.close() };
}
