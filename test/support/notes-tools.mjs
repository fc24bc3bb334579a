// A tools module as an operator writes it: the notes tools for the API at `NOTES_API`.
import { z } from 'zod';

// biome-ignore lint/style/noDefaultExport: this is what `--tools` asks for.
export default function registerNotesTools(server, context) {
  async function call(path, init) {
    const response = await context.session().fetch(new URL(path, process.env.NOTES_API), init);
    const structuredContent = await response.json();
    if (!response.ok) throw new Error(structuredContent.message);
    return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
  }

  server.registerTool('whoami', { description: 'Tells who is logged in.' }, () => call('/me'));
  server.registerTool('list_notes', { description: 'Lists the notes of the user.' }, () => call('/notes'));
  server.registerTool(
    'add_note',
    { description: 'Adds a note for the user.', inputSchema: z.object({ text: z.string() }) },
    ({ text }) =>
      call('/notes', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ text }),
      }),
  );
}
