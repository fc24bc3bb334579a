import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { JSON_HEADERS, messageOf, type RawAnswer, send } from '../support/raw-mcp.js';

const UNKNOWN_ID = 'A'.repeat(43);
const METHODS = ['POST', 'GET', 'DELETE'];

const executed: string[] = [];
let notes: InProcessNotes;

beforeAll(async () => {
  notes = await startInProcessNotes({
    tools: (server) => {
      server.registerTool('record', { description: 'Leaves a trace' }, () => {
        executed.push('record');
        return { content: [] };
      });
    },
  });
});

beforeEach(() => {
  executed.length = 0;
});

afterAll(() => notes.close());

const CALL = message('tools/call', { name: 'record', arguments: {} });

function message(method: string, params: Record<string, unknown> = {}): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
}

function initialize(headers: Record<string, string> = {}): Promise<RawAnswer> {
  const clientInfo = { name: 'raw', version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  return ask('POST', headers, message('initialize', params));
}

function ask(method: string, headers: Record<string, string> = {}, body = CALL): Promise<RawAnswer> {
  return send(notes.mcp, {
    method,
    headers: { ...JSON_HEADERS, ...headers },
    ...(method === 'POST' && { body }),
  });
}

async function startSession(): Promise<{ 'mcp-session-id': string }> {
  const { headers } = await initialize();
  const id = headers['mcp-session-id'];
  if (typeof id !== 'string') throw new Error('There is no session id.');
  return { 'mcp-session-id': id };
}

async function expectAlive(session: Record<string, string>): Promise<void> {
  expect((await ask('POST', session)).status).toBe(200);
  expect(executed.splice(0)).toEqual(['record']);
}

describe('an unknown session id', () => {
  it.each([
    ['a call', CALL],
    ['`initialize`', message('initialize', { protocolVersion: '2025-11-25', capabilities: {} })],
  ])('in %s is answered with the next step for the client and for its user', async (_what, body) => {
    const answer = await ask('POST', { 'mcp-session-id': UNKNOWN_ID }, body);
    expect(answer.status).toBe(404);
    const text = messageOf(answer).error?.message;
    expect(text).toContain('send `initialize` without `Mcp-Session-Id`');
    expect(text).toContain('reconnect this server in the client, or restart the client');
  });
});

describe('a 2025 session', () => {
  it('answers 200 to requests, 202 without a body to other messages, and 404 after its deletion', async () => {
    const session = await startSession();
    await expectAlive(session);
    const notification = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
    const response = JSON.stringify({ jsonrpc: '2.0', id: 'unknown', result: {} });
    for (const body of [notification, response])
      expect(await ask('POST', session, body)).toMatchObject({ status: 202, text: '' });

    expect((await ask('DELETE', session)).status).toBe(200);
    for (const method of METHODS) expect((await ask(method, session)).status, method).toBe(404);
    expect(executed).toEqual([]);
  });

  it.each(['2025-03-26', '2025-06-18', '2025-11-25'])(
    'accepts the MCP-Protocol-Version %s',
    async (version) => {
      await expectAlive({ ...(await startSession()), 'mcp-protocol-version': version });
    },
  );

  it.each(['1999-01-01', '2025-11-26', 'nonsense'])(
    'answers 400 to the MCP-Protocol-Version %s, and stays open',
    async (version) => {
      const session = await startSession();
      for (const method of METHODS) {
        const answer = await ask(method, { ...session, 'mcp-protocol-version': version });
        expect(answer.status, method).toBe(400);
        expect(messageOf(answer).error?.message).toMatch(/version/i);
      }
      expect(executed).toEqual([]);
      await expectAlive(session);
    },
  );
});

describe('a 2025 request is answered', () => {
  it.each(METHODS)('400 for %s without a session id', async (method) => {
    const answer = await ask(method);
    expect(answer.status).toBe(400);
    expect(messageOf(answer).error?.message).toMatch(/initialize/);
    expect(executed).toEqual([]);
  });

  it.each(['PUT', 'PATCH', 'HEAD'])(
    '405 for %s, with the allowed methods, in every session',
    async (method) => {
      const session = await startSession();
      for (const named of [{}, session, { 'mcp-session-id': UNKNOWN_ID }]) {
        const answer = await ask(method, named);
        expect(answer.status).toBe(405);
        expect(answer.headers.allow).toBe('GET, POST, DELETE');
      }
      await expectAlive(session);
    },
  );

  it.each([
    ['POST', 'application/json'],
    ['POST', 'text/event-stream'],
    ['POST', 'text/html'],
    ['GET', 'application/json'],
  ])('406 for %s if it accepts only %s', async (method, accept) => {
    const session = await startSession();
    expect((await ask(method, { ...session, accept })).status).toBe(406);
    expect(executed).toEqual([]);
    await expectAlive(session);
  });

  it('406 for an `initialize` that does not accept the response, without a new session', async () => {
    const before = notes.events.length;
    const answer = await initialize({ accept: 'application/json' });
    expect(answer.status).toBe(406);
    expect(answer.headers).not.toHaveProperty('mcp-session-id');
    const events = notes.events.slice(before).map(({ type }) => type);
    const count = (type: string) => events.filter((other) => other === type).length;
    expect(count('session.ended')).toBe(count('session.started'));
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/jsonp',
    'text/plain; a=application/json',
    '',
  ])('415 if its body has the type %j', async (type) => {
    const session = await startSession();
    const answer = await ask('POST', { ...session, 'content-type': type });
    expect(answer.status).toBe(415);
    expect(messageOf(answer).error?.message).toMatch(/application\/json/);
    expect((await initialize({ 'content-type': type })).status).toBe(415);
    expect(executed).toEqual([]);
    await expectAlive({ ...session, 'content-type': 'application/json; charset=utf-8' });
  });
});
