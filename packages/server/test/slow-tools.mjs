/** A tool that returns when `SLOW_URL` answers. */
// biome-ignore lint/style/noDefaultExport: this is what `--tools` asks for.
export default (server) => {
  server.registerTool('slow', { description: 'Takes its time' }, async () => {
    const response = await fetch(process.env.SLOW_URL);
    return { content: [{ type: 'text', text: await response.text() }] };
  });
};
