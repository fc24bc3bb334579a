// A tools module: the notes tools, and tools that require a login, demand a scope, or run until they are aborted.
import registerNotesTools from '../../support/notes-tools.mjs';

// biome-ignore lint/style/noDefaultExport: this is what `--tools` asks for.
export default function registerTools(server, context) {
  registerNotesTools(server, context);
  server.registerTool(
    'subject',
    { description: 'Says who is logged in.' },
    context.requireLogin(async () => {
      const { subject } = await context.session().account();
      return { content: [{ type: 'text', text: `The user is ${subject}.` }] };
    }),
  );
  server.registerTool('demand', { description: 'Demands a scope, as an API does.' }, async () => {
    await context.session().tokenRejected({ scopes: ['notes'] });
    return { content: [] };
  });
  server.registerTool(
    'hold',
    { description: 'Runs until it is aborted.' },
    context.requireLogin(async ({ mcpReq: { signal } }) => {
      const aborted = new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(signal.reason.code));
      });
      console.error('holding');
      return { content: [{ type: 'text', text: `aborted: ${await aborted}` }] };
    }),
  );
}
