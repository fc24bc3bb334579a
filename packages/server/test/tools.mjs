/** The smallest tools module an operator can name. */
// biome-ignore lint/style/noDefaultExport: this is what `--tools` asks for.
export default function register(server) {
  server.registerTool('ping', { description: 'Answers.' }, () => ({
    content: [{ type: 'text', text: 'pong' }],
  }));
}
