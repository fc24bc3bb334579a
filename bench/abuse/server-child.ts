/** A server with the built library, open to clients of any address, which reports its memory. */
import { createSessions } from 'mcp-sessions';
import { z } from 'zod';
import { answerParent } from '../../test/support/answer-parent.js';

const LARGE = 'x'.repeat(1024 * 1024);

answerParent({
  async start(): Promise<string> {
    const sessions = createSessions({
      server: { name: 'bench', version: '0.0.0' },
      // Never contacted: this benchmark has no logins.
      providers: { issuer: 'http://127.0.0.1:9', clientId: 'bench', scopes: ['openid'] },
      access: 'open-to-network',
      // `X-Forwarded-For` contains made-up addresses.
      trustedProxies: ['127.0.0.1'],
      tools: (server) => {
        const rows = z.array(z.array(z.string()));
        server.registerTool('work', { inputSchema: z.object({ rows }) }, (given) => ({
          content: [{ type: 'text', text: `${given.rows.length}` }],
        }));
        server.registerTool('large', {}, () => ({ content: [{ type: 'text', text: LARGE }] }));
      },
    });
    return (await sessions.listen({ port: 0 })).url;
  },
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return Promise.resolve((user + system) / 1000);
  },
  rssBytes: () => Promise.resolve(process.memoryUsage.rss()),
});
