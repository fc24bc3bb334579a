/** A server made with the library as it was built, with everything that MCP lets a server offer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ResourceTemplate } from '@modelcontextprotocol/server';
import { createSessions, type Sessions } from 'mcp-sessions';
import { pino } from 'pino';
import { z } from 'zod';
import { answerParent, collectGarbage } from '../hygiene/asked-process.js';
import type { ServerState } from './fuzzed-server.js';

const startSchema = z.object({ issuer: z.string(), loginAttemptMs: z.number() });
const settleSchema = z.object({ expected: z.number(), patienceMs: z.number() });

const POLL_MS = 50;
/** What a session goes through is told up to here. */
const MOST_EVENTS = 10;
const DAY_MS = 24 * 60 * 60 * 1000;
/** So that limits are not what is met. */
const MAX_SESSIONS = 100_000;

let sessions: Sessions | undefined;
let api = '';
/** What has happened to every session that lives. */
const live = new Map<unknown, string[]>();
const errors: string[] = [];
const unhandled = (error: unknown) =>
  errors.push(`unhandled: ${error instanceof Error ? error.stack : error}`);
process.on('unhandledRejection', unhandled);
process.on('uncaughtException', unhandled);

answerParent({
  async start(argument) {
    const { issuer, loginAttemptMs } = startSchema.parse(argument);
    api = issuer;
    sessions = createSessions({
      server: { name: 'fuzz', version: '0.0.0' },
      tools: register,
      // Without `openid` the provider is asked who logged in.
      provider: { issuer, clientId: 'fuzz', scopes: ['profile'] },
      apiOrigins: [issuer],
      maxSessions: MAX_SESSIONS,
      lifetimes: { idleMs: DAY_MS, absoluteMs: DAY_MS, disconnectGraceMs: DAY_MS, loginAttemptMs },
      logger: pino({ level: 'error' }, { write: (line: string) => void errors.push(line) }),
    });
    sessions.subscribe((event) => {
      if (!('ref' in event)) return;
      if (event.type === 'session.started') live.set(event.ref, [event.kind]);
      else live.get(event.ref)?.push(event.type);
      if (event.type === 'session.ended') live.delete(event.ref);
    });
    const { url } = await sessions.listen({ port: 0 });
    return new URL(url).origin;
  },
  /** Waits for sessions to end, until there are no more than expected. */
  async settle(argument): Promise<ServerState> {
    const { expected, patienceMs } = settleSchema.parse(argument);
    const untilMs = performance.now() + patienceMs;
    while (live.size > expected && performance.now() < untilMs) await sleep(POLL_MS);
    return { lives: [...live.values()].map((life) => life.slice(0, MOST_EVENTS).join(', ')), errors };
  },
  async heldBytes() {
    await collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  },
});

const register: Parameters<typeof createSessions>[0]['tools'] = (server, current) => {
  const ask = async (init?: RequestInit) => (await current.current().fetch(`${api}/notes`, init)).text();
  const asTool = async (init?: RequestInit) => ({
    content: [{ type: 'text' as const, text: await ask(init) }],
  });
  const asResource = async (uri: URL) => ({ contents: [{ uri: uri.href, text: await ask() }] });

  server.registerTool('whoami', { description: 'Tells who is logged in.' }, () => asTool());
  server.registerTool('list_notes', { description: 'Lists notes.' }, () => asTool());
  server.registerTool(
    'add_note',
    { description: 'Adds a note.', inputSchema: z.object({ text: z.string() }) },
    ({ text }) => asTool({ method: 'POST', body: JSON.stringify({ text }) }),
  );
  server.registerResource('notes', 'notes://all', {}, asResource);
  server.registerResource('note', new ResourceTemplate('notes://{id}', { list: undefined }), {}, asResource);
  server.registerPrompt(
    'greeting',
    { description: 'Greets the user.', argsSchema: z.object({ language: z.string() }) },
    async ({ language }) => ({
      messages: [{ role: 'user', content: { type: 'text', text: `Greet in ${language}: ${await ask()}` } }],
    }),
  );
};
