// A tools module that tells servers apart: the notes tools, and tools that name and hold their process.
import { once } from 'node:events';
import registerNotesTools from '../../support/notes-tools.mjs';

// biome-ignore lint/style/noDefaultExport: this is what `--tools` asks for.
export default function registerNodeTools(server, context) {
  registerNotesTools(server, context);
  const named = () => ({ content: [{ type: 'text', text: String(process.pid) }] });
  server.registerTool('process', { description: 'Names the process.' }, named);
  server.registerTool('hold', { description: 'Says nothing until SIGUSR2.' }, async () => {
    await once(process, 'SIGUSR2');
    return named();
  });
}
