import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { createBareServer } from '../../../../../../test/support/bare-server.js';
import { JSON_HEADERS } from '../../../../../../test/support/raw-mcp.js';

const MCP = 'http://127.0.0.1:3000/mcp';

it('a client that answers a question with an error is no error of the server in the log', async () => {
  const levels: number[] = [];
  const logger = pino({ level: 'debug' }, { write: (line) => levels.push(JSON.parse(line).level) });
  const sessions = createBareServer(
    (server) => {
      server.registerTool('ask', {}, async ({ mcpReq }) => {
        const requestedSchema = { type: 'object' as const, properties: {} };
        await mcpReq.send({ method: 'elicitation/create', params: { message: 'Well?', requestedSchema } });
        return { content: [] };
      });
    },
    { logger },
  );
  onTestFinished(() => sessions.close());
  const post = (message: object, headers: Record<string, string> = {}) => {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    return sessions.handleRequest(
      new Request(MCP, { method: 'POST', headers: { ...JSON_HEADERS, ...headers }, body }),
    );
  };
  const clientInfo = { name: 'raw', version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities: { elicitation: { form: {} } }, clientInfo };
  const started = await post({ id: 0, method: 'initialize', params });
  await started.text();
  const session = { 'mcp-session-id': started.headers.get('mcp-session-id') ?? '' };
  const called = await post({ id: 1, method: 'tools/call', params: { name: 'ask', arguments: {} } }, session);
  let text = '';
  for await (const chunk of called.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const asked = !text.includes('elicitation/create');
    text += chunk;
    if (!asked || !text.includes('elicitation/create')) continue;
    const [, id] = /elicitation\/create.*"id":(\d+)/.exec(text) ?? [];
    await post({ id: Number(id), error: { code: -32_601, message: 'Method not found' } }, session);
  }
  expect(text).toContain('Method not found');
  const { debug, error } = pino.levels.values;
  expect(levels).toContain(debug);
  expect(levels).not.toContain(error);
});
