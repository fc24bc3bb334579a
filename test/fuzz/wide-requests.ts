import fc, { type Arbitrary } from 'fast-check';
import { type Blueprint, placeholder } from './blueprint.js';
import { type Call, slot, tool } from './json-rpc-messages.js';
import { inConnection, JSON_HEADERS, message, post } from './request-2025.js';
import { named, request } from './request-2026.js';

/** Headers that the server reads, without those that identify sender and target. */
export const READ_HEADERS = [
  'origin',
  'accept',
  'content-type',
  'cookie',
  'forwarded',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-prefix',
] as const;
export const FILLINGS: readonly string[] = [
  ...['/', ' ', '\t', ',', ';', '=', '"', '%', '.', '-', ':', '[', '\\', 'a'],
  ...['1/', ';q=', '%C3%A9', 'xn--a.'],
];

/** Requests whose response does not end are not awaited. */
const CUT_MS = 100;

/** Sizes around limits, up to the largest body. */
const length = fc.constantFrom(100, 1000, 2047, 2049, 20_000, 200_000, 900_000);
const count = fc.constantFrom(10, 100, 1999, 2001, 20_000, 50_000, 100_000);
const size = fc.oneof({ weight: 2, arbitrary: length }, { weight: 1, arbitrary: fc.nat(10_000) });
/** Distinct values, so that the server cannot share memory between them. */
const long = fc.tuple(fc.nat(), size).map(([number, size]) => `${number}-${'w'.repeat(size)}`);

const wideArray = count.map((size): unknown => Array.from({ length: size }, (_, at) => at % 10));
const wideObject = count.map((size): unknown =>
  Object.fromEntries(Array.from({ length: size }, (_, at) => [`k${at}`, 0])),
);
const manyTexts = fc
  .tuple(fc.constantFrom(3, 50, 500, 5000), fc.constantFrom(10, 100, 2049), fc.nat())
  .map(([size, each, number]): unknown => {
    return Array.from({ length: size }, (_, at) => `notes://${number}-${at}-${'w'.repeat(each)}`);
  })
  .filter((texts) => JSON.stringify(texts).length < 1_000_000);
/** Values that are large or deeply nested. */
const wideValue: Arbitrary<unknown> = fc.oneof(wideArray, wideObject, manyTexts, long);

/** Calls with values that the server keeps or validates. */
const wideCall: Arbitrary<Call> = fc.oneof(
  {
    weight: 4,
    arbitrary: long.map(
      (name): Call => ({ method: 'resources/subscribe', params: { uri: `notes://${name}` } }),
    ),
  },
  long.map((uri): Call => ({ method: 'resources/unsubscribe', params: { uri } })),
  long.map((uri): Call => ({ method: 'resources/read', params: { uri: `notes://${uri}` } })),
  long.map((level): Call => ({ method: 'logging/setLevel', params: { level } })),
  long.map((requestId): Call => ({ method: 'notifications/cancelled', params: { requestId } })),
  fc.tuple(long, wideValue).map(
    ([progressToken, message]): Call => ({
      method: 'notifications/progress',
      params: { progressToken, progress: 1, message },
    }),
  ),
  long.map((progressToken): Call => ({ method: 'tools/list', params: { _meta: { progressToken } } })),
  wideValue.map(
    (value): Call => ({ method: 'server/discover', params: { _meta: { 'a.example/wide': value } } }),
  ),
  wideObject.map((_meta): Call => ({ method: 'server/discover', params: { _meta } })),
  wideObject.map(
    (_meta): Call => ({ method: 'tools/call', params: { name: 'whoami', arguments: {}, _meta } }),
  ),
  wideValue.map((text): Call => tool('add_note', { text })),
  wideObject.map((args): Call => tool('whoami', args as Record<string, unknown>)),
  wideValue.map((code): Call => tool('login', { code })),
  long.map((name): Call => tool(name)),
  wideValue.map(
    (value): Call => ({
      method: 'tools/call',
      params: {
        ...tool('note_first', { text: 'a' }).params,
        requestState: value,
        inputResponses: { login: value },
      },
    }),
  ),
  long.map(
    (value): Call => ({
      method: 'completion/complete',
      params: { ref: { type: 'ref/prompt', name: 'greeting' }, argument: { name: 'language', value } },
    }),
  ),
  {
    weight: 3,
    arbitrary: manyTexts.map(
      (resourceSubscriptions): Call => ({
        method: 'subscriptions/listen',
        params: { notifications: { resourceSubscriptions } },
      }),
    ),
  },
);
const id = fc.oneof({ weight: 3, arbitrary: fc.nat() as Arbitrary<unknown> }, { weight: 1, arbitrary: long });

/** Requests in a 2025 connection. */
export function wideIn2025(sessionId: Arbitrary<string>): Arbitrary<Blueprint> {
  return fc.tuple(sessionId, wideCall, id).map(([connection, call, id]) => ({
    ...post('wide 2025', [...JSON_HEADERS, ['mcp-session-id', connection]], message(call, id)),
    cutMs: CUT_MS,
  }));
}

/** Requests in a 2026 session. */
export function wideIn2026(handle: Arbitrary<string>): Arbitrary<Blueprint> {
  return fc.tuple(handle, wideCall, id).map(([session, call, id]) => ({
    ...request('wide 2026', named(call, session, '_meta'), id),
    cutMs: CUT_MS,
  }));
}

const wideInitialize = fc
  .tuple(long, wideValue, fc.constantFrom('clientInfo', 'capabilities', '_meta'))
  .map(([name, value, where]): Blueprint => {
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name, version: '1' },
      ...(where !== 'clientInfo' && { [where]: { wide: value } }),
    };
    return post('wide initialize', JSON_HEADERS, message({ method: 'initialize', params }, 1));
  });
const nameless = fc.tuple(wideCall, id).map(([call, id]): Blueprint => {
  return { ...request('wide 2026', call, id), cutMs: CUT_MS };
});
/** An unused id. */
const answer = fc.tuple(slot, long, wideValue).map(([at, id, result]): Blueprint => {
  return inConnection('wide 2025', 'connection', at, JSON.stringify({ jsonrpc: '2.0', id, result }));
});

/** Headers of the maximum length, with characters that make regular expressions and parsers backtrack. */
const wideHeader = fc
  .tuple(fc.constantFrom(...READ_HEADERS), fc.constantFrom(...FILLINGS), fc.constantFrom(1000, 15_000))
  .map(([name, filling, size]): Blueprint => {
    const value = `x${filling.repeat(size / filling.length)}x`;
    const others = JSON_HEADERS.filter(([other]) => other !== name);
    return post('wide header', [...others, [name, value]], message({ method: 'tools/list', params: {} }, 1));
  });

/** Requests that are large or have many parts. */
export const wideRequests: Arbitrary<Blueprint> = fc.oneof(
  { weight: 4, arbitrary: wideIn2025(slot.map((at) => placeholder('connection', at))) },
  { weight: 3, arbitrary: wideIn2026(slot.map((at) => placeholder('session', at))) },
  { weight: 2, arbitrary: nameless },
  { weight: 1, arbitrary: wideInitialize },
  { weight: 1, arbitrary: answer },
  { weight: 1, arbitrary: wideHeader },
);
