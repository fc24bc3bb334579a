// Tools whose errors neither the library nor the SDK can catch.

const text = (value) => ({ content: [{ type: 'text', text: value }] });

// biome-ignore lint/style/noDefaultExport: this is what `--tools` asks for.
export default function registerUncaughtTools(server) {
  server.registerTool('alive', {}, () => text('alive'));
  server.registerTool('throws_in_timer', {}, async () => {
    setTimeout(() => {
      throw new Error('secret');
    });
    await new Promise((resolve) => setTimeout(resolve, 10));
    return text('done');
  });
  server.registerTool('rejects_unseen', {}, async () => {
    void Promise.reject(new Error('secret'));
    await new Promise((resolve) => setImmediate(resolve));
    return text('done');
  });
}
