/** A server with the built library that reports its memory. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createSessions, type Sessions } from 'mcp-sessions';
import { z } from 'zod';
import { answerParent, collectGarbage } from '../support/answer-parent.js';
import type { Footprint } from './memory.js';

const startSchema = z.object({ issuer: z.string(), maxSessions: z.number() });

const PAUSE_MS = 500;

let sessions: Sessions | undefined;
let loggedIn = 0;
let ended = 0;
let revoked = 0;

answerParent({
  async start(argument) {
    const { issuer, maxSessions } = startSchema.parse(argument);
    sessions = createSessions({
      server: { name: 'soak', version: '0.0.0' },
      tools: () => undefined,
      // Without `openid`, the user info identifies the user.
      providers: { issuer, clientId: 'soak', scopes: ['profile'] },
      limits: { maxSessions, anonymousSessions: maxSessions },
    });
    sessions.onEvent((event) => {
      if (event.type === 'account.authenticated') loggedIn++;
      if (event.type === 'session.ended') ended++;
      if (event.type === 'account.revoked') revoked++;
    });
    const { url } = await sessions.listen({ port: 0 });
    return url;
  },
  async footprint(): Promise<Footprint> {
    const uncollected = process.memoryUsage.rss();
    await collectGarbage();
    // V8 releases memory pages in the background.
    await sleep(PAUSE_MS);
    const { rss, heapUsed, external } = process.memoryUsage();
    return { sessions: loggedIn - ended, uncollected, rss, heap: heapUsed, external };
  },
  /** Ends all sessions, and waits for the provider without a limit. */
  async close() {
    await sessions?.close();
    while (revoked < loggedIn) await sleep(50);
  },
});
