/** The clients of all measured servers, in a process of their own. */
import { type ClientRequest, request } from 'node:http';
import autocannon from 'autocannon';
import { z } from 'zod';
import { answerParent } from '../../test/support/answer-parent.js';
import { connect2025, HttpClient } from '../http-client.js';
import { type EchoRequest, echoRequest, isEchoed } from './echo-requests.js';
import type { CallFigures, CreateFigures } from './figures.js';

const targetSchema = z.object({ url: z.string(), era: z.enum(['2025', '2026']), tool: z.string() });
const callSchema = targetSchema.extend({ seconds: z.number(), connections: z.number() });
const callAllSchema = callSchema.omit({ url: true }).extend({ urls: z.array(z.string()).nonempty() });
const createSchema = z.object({ url: z.string(), seconds: z.number(), connections: z.number() });
const openSchema = z.object({ url: z.string(), count: z.number() });
const knowSchema = z.object({ url: z.string(), ids: z.array(z.string()) });

/** The number of connections that open sessions: fastmcp takes a second for each. */
const OPENERS = 256;
/** The most sessions that one connection calls in turn. Its requests are made beforehand. */
const MAX_TURNS = 500;
const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const INITIALIZED = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });

/** The ids of the sessions of each server. */
const sessions = new Map<string, string[]>();
const streams: ClientRequest[] = [];
let toClose: Record<string, string>[] = [];

answerParent({
  /** Opens sessions of the 2025 revisions. */
  async open(argument) {
    const { url, count } = openSchema.parse(argument);
    const client = new HttpClient(url, undefined, OPENERS);
    const ids = idsOf(url);
    let left = count;
    const work = async () => {
      while (left-- > 0) ids.push((await connect(client))['mcp-session-id'] ?? '');
    };
    await Promise.all(Array.from({ length: OPENERS }, work));
    client.close();
  },
  /** Notes the ids of sessions that the server has. */
  know(argument) {
    const { url, ids } = knowSchema.parse(argument);
    idsOf(url).push(...ids);
  },
  /** Calls a tool in all sessions in turn, over and over. */
  async call(argument): Promise<CallFigures> {
    const started = process.cpuUsage();
    const { latency, ...figures } = await callOne(callSchema.parse(argument));
    return { ...figures, p50Ms: latency.p50, p99Ms: latency.p99, clientMicros: microsSince(started) };
  },
  /** The same at several servers at the same time, each through its part of the connections. */
  async callAll(argument): Promise<CallFigures> {
    const { urls, ...call } = callAllSchema.parse(argument);
    const connections = Math.ceil(call.connections / urls.length);
    const answersMs: number[] = [];
    const started = process.cpuUsage();
    const results = await Promise.all(
      urls.map((url) => callOne({ ...call, url, connections }, (ms) => answersMs.push(ms))),
    );
    const clientMicros = microsSince(started);
    answersMs.sort((a, b) => a - b);
    const percentile = (part: number) => answersMs[Math.floor(answersMs.length * part)] ?? 0;
    const failed = results.find(({ firstFailure }) => firstFailure !== undefined);
    return {
      requests: results.reduce((sum, { requests }) => sum + requests, 0),
      seconds: Math.max(...results.map(({ seconds }) => seconds)),
      p50Ms: percentile(0.5),
      p99Ms: percentile(0.99),
      clientMicros,
      ...(failed && { firstFailure: failed.firstFailure }),
    };
  },
  /** Opens sessions, and calls once in each. */
  async create(argument): Promise<CreateFigures> {
    const { url, seconds, connections } = createSchema.parse(argument);
    const client = new HttpClient(url, undefined, connections);
    const created: Record<string, string>[] = [];
    const startedMs = performance.now();
    const work = async () => {
      while (performance.now() - startedMs < seconds * 1000) {
        const session = await connect(client);
        const number = created.push(session);
        await call(client, echoRequest('2025', 'echo', session['mcp-session-id'], number));
      }
    };
    await Promise.all(Array.from({ length: connections }, work));
    client.close();
    const tookSeconds = (performance.now() - startedMs) / 1000;
    toClose = created;
    return { sessions: created.length, seconds: tookSeconds };
  },
  /** Closes the sessions of the last round of `create`. */
  async closeCreated(argument) {
    const client = new HttpClient(z.string().parse(argument), undefined, OPENERS);
    const work = async () => {
      for (let session = toClose.pop(); session; session = toClose.pop())
        await client.send('DELETE', '', session);
    };
    await Promise.all(Array.from({ length: OPENERS }, work));
    client.close();
  },
  /** Opens the event stream of each session. */
  async stream(argument) {
    const { url, count } = openSchema.parse(argument);
    const ids = idsOf(url);
    let next = 0;
    const work = async () => {
      while (next < count) await openStream(url, ids[next++]);
    };
    await Promise.all(Array.from({ length: OPENERS }, work));
  },
  closeStreams() {
    for (const stream of streams.splice(0)) stream.destroy();
  },
});

function idsOf(url: string): string[] {
  const ids = sessions.get(url) ?? [];
  sessions.set(url, ids);
  return ids;
}

function microsSince(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started);
  return user + system;
}

/** Calls a tool of one server in all its sessions in turn. @param onAnswer called with the time that each answer took */
async function callOne(
  { url, era, tool, seconds, connections }: z.infer<typeof callSchema>,
  onAnswer?: (ms: number) => void,
) {
  const ids = idsOf(url);
  let next = 0;
  let firstFailure: string | undefined;
  const check = (text: string) => (status: number, body: string) => {
    if (!isEchoed(status, body, text)) firstFailure ??= `${status} ${body.slice(0, 500)}`;
  };
  const options: autocannon.Options = {
    url,
    connections,
    duration: seconds,
    setupClient(client) {
      const turns = Math.min(Math.max(Math.ceil(ids.length / connections), 1), MAX_TURNS);
      client.setRequests(
        Array.from({ length: turns }, () => {
          const number = next++ % Math.max(ids.length, 1);
          const { headers, body, text } = echoRequest(era, tool, ids[number], number);
          return {
            method: 'POST' as const,
            headers: { ...JSON_HEADERS, ...headers },
            body,
            onResponse: check(text),
          };
        }),
      );
    },
  };
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const calls = autocannon(options, (error, done) => (error ? reject(error) : resolve(done)));
    if (onAnswer) calls.on('response', (_client, _status, _bytes, ms) => onAnswer(ms));
  });
  // The next round begins with other sessions.
  ids.push(...ids.splice(0, next));
  if (result.errors > 0) firstFailure ??= `${result.errors} connections failed`;
  return {
    requests: result.requests.total,
    seconds: result.duration,
    latency: result.latency,
    ...(firstFailure !== undefined && { firstFailure }),
  };
}

async function connect(client: HttpClient): Promise<Record<string, string>> {
  const session = await connect2025(client);
  const { status, text } = await client.post(INITIALIZED, session);
  if (status !== 202) throw new Error(`The session was not initialized: ${status} ${text}`);
  return session;
}

async function call(client: HttpClient, { headers, body, text: expected }: EchoRequest): Promise<void> {
  const { status, text } = await client.post(body, headers);
  if (!isEchoed(status, text, expected)) throw new Error(`A call failed: ${status} ${text}`);
}

function openStream(url: string, id: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      accept: 'text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      ...(id !== undefined && { 'mcp-session-id': id }),
    };
    const stream = request(url, { headers, agent: false }, (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else reject(new Error(`No stream: ${response.statusCode}`));
    });
    // Also when it is destroyed in the end.
    stream.on('error', reject).end();
    streams.push(stream);
  });
}
