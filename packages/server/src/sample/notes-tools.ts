import type { CallToolResult } from '@modelcontextprotocol/server';
import type { RegisterTools } from 'mcp-sessions';
import { z } from 'zod';

const caller = z.object({ subject: z.string(), name: z.string().optional() });
const note = z.object({ id: z.number(), text: z.string(), createdAt: z.string() });
const notes = z.object({ notes: z.array(note) });
const problem = z.object({ message: z.string() });

/**
 * Registers `whoami`, `list_notes` and `add_note`. Each calls the notes API with the access token of the caller.
 * Without a login, a call waits for one if the client supports that.
 */
export function registerNotesTools(apiOrigin: string): RegisterTools {
  return (server, context) => {
    async function call<T>(schema: z.ZodType<T>, path: string, init?: RequestInit): Promise<T> {
      const response = await context.session().fetch(new URL(path, apiOrigin), init);
      if (!response.ok) throw new Error(await explain(response));
      return schema.parse(await response.json());
    }

    server.registerTool(
      'whoami',
      {
        title: 'Who am I',
        description: 'Returns the user that this session is logged in as at the notes service.',
        outputSchema: caller,
        annotations: { readOnlyHint: true, openWorldHint: false },
      },
      context.requireLogin(async () => structured(await call(caller, '/me'))),
    );

    server.registerTool(
      'list_notes',
      {
        title: 'List notes',
        description:
          'Lists all notes of the logged-in user, oldest first. Notes of other users are not included.',
        outputSchema: notes,
        annotations: { readOnlyHint: true, openWorldHint: false },
      },
      context.requireLogin(async () => structured(await call(notes, '/notes'))),
    );

    server.registerTool(
      'add_note',
      {
        title: 'Add a note',
        description: 'Adds one note for the logged-in user and returns it. Calling it twice adds it twice.',
        inputSchema: z.object({
          text: z.string().min(1).max(10_000).describe('The note as plain text, 1 to 10,000 characters.'),
        }),
        outputSchema: note,
        annotations: {
          readOnlyHint: false,
          destructiveHint: false,
          idempotentHint: false,
          openWorldHint: false,
        },
      },
      context.requireLogin(async ({ text }: { text: string }) => {
        const body = JSON.stringify({ text });
        const headers = { 'content-type': 'application/json' };
        return structured(await call(note, '/notes', { method: 'POST', headers, body }));
      }),
    );
  };
}

/** The text contains the structure as JSON, for clients that read only text. */
function structured(result: Record<string, unknown>): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(result) }], structuredContent: result };
}

async function explain(response: Response): Promise<string> {
  if (response.status === 401)
    return 'The notes service refused this login. Call the `login` tool, then try again.';
  const answer = problem.safeParse(await response.json().catch(() => undefined));
  if (answer.success) return answer.data.message;
  return `The notes service answered ${response.status}. Try again in a minute.`;
}
