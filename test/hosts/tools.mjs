// The tools that hosts are tested with: the notes tools of the sample, and a slow one.
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { registerNotesTools } from '../../packages/server/dist/sample/notes-tools.js';

// biome-ignore lint/style/noDefaultExport: this is what `--tools` asks for.
export default function registerTools(server, context) {
  registerNotesTools(process.env.NOTES_API)(server, context);
  server.registerTool(
    'wait',
    {
      description: 'Waits silently for some seconds and then says so.',
      inputSchema: z.object({ seconds: z.number().min(0).max(600) }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    async ({ seconds }) => {
      await wait(seconds * 1000);
      return { content: [{ type: 'text', text: `Waited ${seconds} seconds.` }] };
    },
  );
}
