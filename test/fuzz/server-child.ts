/** A server with the built library, whose time advances with every request. */
import { subscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeHeapSnapshot } from 'node:v8';
import { createSessions, type Limits, type Sessions } from 'mcp-sessions';
import { pino } from 'pino';
import { z } from 'zod';
import { answerParent, collectGarbage } from '../support/answer-parent.js';
import { AdvanceableClock } from './advanceable-clock.js';
import type { PlantedFault, ServerState } from './fuzzed-server.js';
import { fuzzedTools } from './fuzzed-tools.js';

const startSchema = z.object({
  issuer: z.string(),
  bearer: z.object({ issuer: z.string(), audience: z.string() }).optional(),
});
const plantSchema = z.object({ fault: z.enum(['cpu', 'memory']) });
const passSchema = z.object({ durationMs: z.number() });
const snapshotSchema = z.object({ path: z.string() });
const settleSchema = z.object({ expected: z.number(), timeoutMs: z.number() });

const eventSchema = z.object({
  request: z.object({ headers: z.record(z.string(), z.union([z.string(), z.array(z.string())]).optional()) }),
});
const LARGE_BYTES = 100_000;
const PLANTED_CPU_MICROSECONDS = 300_000;

const POLL_MS = 50;
/** The maximum length of a session's list of events. */
const MAX_EVENTS = 10;
/**
 * The time by which the server's clock advances with each request, whatever its real duration. The progress of a login
 * and the end of a waiting call depend on requests and not on the machine. A provider that is slow for some requests
 * stays within its deadline.
 */
const REQUEST_MS = 20;
const MINUTE_MS = 60 * 1000;
const MONTH_MS = 30 * 24 * 60 * MINUTE_MS;
/** High limits, so that requests do not reach them. */
const MANY = 100_000;
const LIMITS: Partial<Limits> = {
  anonymousSessions: MANY,
  anonymousSessionsPerAddress: MANY,
  loginStartsPerMinute: MANY,
  loginStartsPerUserPerMinute: MANY,
  invalidLoginRequestsPerMinute: MANY,
  pendingLogins: MANY,
  refusedTokensPerMinute: MANY,
  sessionsPerAccount: MANY,
};
/** Members send requests, so their sessions do not end. */
const LIFETIMES = {
  idleMs: 30 * MINUTE_MS,
  connectionTtlMs: 30 * MINUTE_MS,
  absoluteMs: MONTH_MS,
  disconnectGraceMs: MONTH_MS,
};

const clock = new AdvanceableClock();
let sessions: Sessions | undefined;
/** The events of every session that has not ended. */
const live = new Map<unknown, string[]>();
const errors: string[] = [];
const unhandled = (error: unknown) =>
  errors.push(`unhandled: ${error instanceof Error ? error.stack : error}`);
process.on('unhandledRejection', unhandled);
process.on('uncaughtException', unhandled);
subscribe('http.server.request.start', () => clock.advance(REQUEST_MS));

function plant(fault: PlantedFault): void {
  const kept: Buffer[] = [];
  subscribe('http.server.request.start', (event) => {
    const { headers } = eventSchema.parse(event).request;
    const length = Number(headers['content-length'] ?? 0);
    if (fault === 'memory' && headers['mcp-session-id']) kept.push(Buffer.alloc(length));
    if (fault !== 'cpu' || length < LARGE_BYTES) return;
    const before = process.cpuUsage();
    while (process.cpuUsage(before).user < PLANTED_CPU_MICROSECONDS);
  });
}

answerParent({
  async start(argument) {
    const { issuer, bearer } = startSchema.parse(argument);
    // Without `openid`, the user info identifies the user.
    const provider = { issuer, clientId: 'fuzz', scopes: ['profile'], apiOrigins: [issuer] };
    sessions = createSessions({
      server: { name: 'fuzz', version: '0.0.0' },
      tools: fuzzedTools(issuer),
      providers: [
        { ...provider, name: 'main' },
        { ...provider, name: 'codes', deviceFlow: 'allowed' },
      ],
      access: bearer ?? 'open',
      lifetimes: LIFETIMES,
      limits: { ...LIMITS, maxSessions: MANY },
      logger: pino({ level: 'error' }, { write: (line: string) => void errors.push(line) }),
      runtime: { clock },
    });
    sessions.onEvent((event) => {
      if (!('logId' in event)) return;
      if (event.type === 'session.started') live.set(event.logId, [event.kind]);
      else live.get(event.logId)?.push(event.type);
      if (event.type === 'session.ended') live.delete(event.logId);
    });
    const { url } = await sessions.listen({ port: 0 });
    return new URL(url).origin;
  },
  async passTime(argument) {
    clock.advance(passSchema.parse(argument).durationMs);
    await sleep(POLL_MS);
  },
  /** Waits until the number of sessions is not larger than expected. */
  async settle(argument): Promise<ServerState> {
    const { expected, timeoutMs } = settleSchema.parse(argument);
    const untilMs = performance.now() + timeoutMs;
    while (live.size > expected && performance.now() < untilMs) await sleep(POLL_MS);
    return { lives: [...live.values()].map((life) => life.slice(0, MAX_EVENTS).join(', ')), errors };
  },
  async heapSnapshot(argument) {
    await collectGarbage();
    writeHeapSnapshot(snapshotSchema.parse(argument).path);
  },
  plant(argument) {
    plant(plantSchema.parse(argument).fault);
  },
  cpuMs() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  async heldBytes() {
    await collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  },
});
