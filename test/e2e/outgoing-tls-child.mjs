// A server of an author that calls `login` once and prints what its operator and its client see.
import { createSessions } from 'mcp-sessions';

const sessions = createSessions({
  server: { name: 'author', version: '1.0.0' },
  providers: { issuer: process.env.ISSUER, clientId: 'test', scopes: ['openid'] },
  tools: () => undefined,
  publicUrl: 'http://127.0.0.1:3000',
});
// The timers of the server alone do not keep a process running.
const keepRunning = setInterval(() => undefined, 1000);
const failures = [];
sessions.onEvent((event) => event.type === 'provider.failed' && failures.push(event));

const mcp = 'http://127.0.0.1:3000/mcp';
const headers = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};
const post = (message, more = {}) =>
  sessions.handleRequest(
    new Request(mcp, {
      method: 'POST',
      headers: { ...headers, ...more },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
    }),
  );
const clientInfo = { name: 'client', version: '1' };
const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
const initialized = await post({ method: 'initialize', params });
const session = { 'mcp-session-id': initialized.headers.get('mcp-session-id') };
const called = await post({ method: 'tools/call', params: { name: 'login', arguments: {} } }, session);
const answer = await called.text();
console.log(JSON.stringify({ failures, answer }));
await sessions.close({ drainMs: 0 });
clearInterval(keepRunning);
