import {
  type CallToolResult,
  inputRequired,
  inputResponse,
  ResourceTemplate,
} from '@modelcontextprotocol/server';
import type { RegisterTools } from 'mcp-sessions';
import { z } from 'zod';

/** All features that an MCP server can offer, for the logged-in user. @param api the URL of the notes */
export function fuzzedTools(api: string): RegisterTools {
  return (server, context) => {
    const ask = async (init?: RequestInit) => (await context.session().fetch(`${api}/notes`, init)).text();
    const asTool = async (init?: RequestInit): Promise<CallToolResult> => ({
      content: [{ type: 'text', text: await ask(init) }],
    });
    const add = (text: string) => asTool({ method: 'POST', body: JSON.stringify({ text }) });
    const asResource = async (uri: URL) => ({ contents: [{ uri: uri.href, text: await ask() }] });
    const inputSchema = z.object({ text: z.string() });

    server.registerTool('whoami', { description: 'Tells who is logged in.' }, () => asTool());
    server.registerTool('list_notes', { description: 'Lists notes.' }, () => asTool());
    server.registerTool('add_note', { description: 'Adds a note.', inputSchema }, ({ text }) => add(text));
    server.registerTool(
      'note_first',
      { description: 'Adds a note, after a login if need be.', inputSchema },
      context.requireLogin(({ text }: z.infer<typeof inputSchema>) => add(text)),
    );
    server.registerTool(
      'ask_first',
      { description: 'Asks whether to add a note, after a login if need be.', inputSchema },
      context.requireLogin(async ({ text }: z.infer<typeof inputSchema>, { mcpReq }) => {
        if (mcpReq.requestState() !== undefined) {
          const { kind } = inputResponse(mcpReq.inputResponses, 'confirm');
          return add(`${kind} ${text}`);
        }
        const confirm = inputRequired.elicitUrl({ message: 'Sure?', url: 'https://example.com/' });
        return inputRequired({ inputRequests: { confirm }, requestState: 'asked' });
      }),
    );
    server.registerResource('notes', 'notes://all', {}, asResource);
    const template = new ResourceTemplate('notes://{id}', { list: undefined });
    server.registerResource('note', template, {}, asResource);
    server.registerPrompt(
      'greeting',
      { description: 'Greets the user.', argsSchema: z.object({ language: z.string() }) },
      async ({ language }) => ({
        messages: [{ role: 'user', content: { type: 'text', text: `Greet in ${language}: ${await ask()}` } }],
      }),
    );
  };
}
