// The tool of the servers: it asks an API which user its token belongs to.

// biome-ignore lint/style/noDefaultExport: this is what `--tools` asks for.
export default function registerTools(server, context) {
  server.registerTool('whoami', { description: 'Tells who is logged in.' }, async () => {
    const response = await context.session().fetch(new URL('/me', process.env.CHAOS_API));
    return { content: [{ type: 'text', text: `${response.status} ${await response.text()}` }] };
  });
}
