import fc, { type Arbitrary } from 'fast-check';
import { LOGIN_SLOTS, placeholder, SLOTS } from './blueprint.js';
import { edgeCaseString, edgeCaseValue } from './edge-case-values.js';

/** A request or notification without its id. */
export interface Call {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** The number of a slot. */
export const slot: Arbitrary<number> = fc.nat(SLOTS - 1);

/** The number of a login. */
export const tripSlot: Arbitrary<number> = fc.nat(LOGIN_SLOTS - 1);

/** Ids that collide between sessions. */
export const requestId: Arbitrary<unknown> = fc.oneof(
  { weight: 8, arbitrary: fc.nat(1000) },
  { weight: 1, arbitrary: edgeCaseString },
  { weight: 1, arbitrary: edgeCaseValue },
);

/** Ids that are unique among the requests in flight of a session. */
export const ownId: Arbitrary<number> = fc.noBias(fc.integer({ min: 10_000, max: 2 ** 31 }));

export const tool = (name: string, args: Record<string, unknown> = {}): Call => ({
  method: 'tools/call',
  params: { name, arguments: args },
});

/** Calls whose responses contain the canary of the session. */
export const telling: Arbitrary<Call> = fc.constantFrom(
  tool('whoami'),
  tool('list_notes'),
  tool('note_first', { text: 'first' }),
  tool('session_status'),
  { method: 'resources/read', params: { uri: 'session://status' } },
  { method: 'resources/read', params: { uri: 'notes://all' } },
  { method: 'prompts/get', params: { name: 'greeting', arguments: { language: 'en' } } },
);

const STATUS = { uri: 'session://status' };
const cursor = fc.option(edgeCaseString, { freq: 3, nil: undefined });

/** Other requests that do not log the session out. */
export const harmless: Arbitrary<Call> = fc.oneof(
  fc.constantFrom<Call>(
    { method: 'ping', params: {} },
    { method: 'tools/list', params: {} },
    { method: 'resources/templates/list', params: {} },
    { method: 'resources/subscribe', params: STATUS },
    { method: 'resources/unsubscribe', params: STATUS },
    { method: 'logging/setLevel', params: { level: 'debug' } },
    { method: 'server/discover', params: {} },
    { method: 'tasks/list', params: {} },
  ),
  edgeCaseString.map((text) => tool('add_note', { text })),
  edgeCaseValue.map((text) => tool('add_note', { text })),
  edgeCaseString.map((text) => tool('note_first', { text })),
  edgeCaseString.map((text) => tool('ask_first', { text })),
  edgeCaseValue.map((argument) => tool('whoami', { argument })),
  edgeCaseString.map((name) => tool(name)),
  edgeCaseString.map((uri) => ({ method: 'resources/read', params: { uri } })),
  edgeCaseString.map((name) => ({ method: 'resources/read', params: { uri: `notes://${name}` } })),
  edgeCaseString.map((language) => ({
    method: 'prompts/get',
    params: { name: 'greeting', arguments: { language } },
  })),
  edgeCaseString.map((value) => ({
    method: 'completion/complete',
    params: { ref: { type: 'ref/prompt', name: 'greeting' }, argument: { name: 'language', value } },
  })),
  fc
    .tuple(fc.constantFrom('tools/list', 'resources/list', 'prompts/list'), cursor)
    .map(([method, at]) => ({ method, params: at === undefined ? {} : { cursor: at } })),
  edgeCaseString.map((method) => ({ method, params: {} })),
);

/** Calls that log a member out or in. */
export const disruptive: Arbitrary<Call> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(tool('login')) },
  { weight: 1, arbitrary: fc.constant(tool('logout')) },
  { weight: 1, arbitrary: tripSlot.map((at) => tool('login', { code: placeholder('code', at) })) },
  { weight: 1, arbitrary: edgeCaseValue.map((code) => tool('login', { code })) },
  { weight: 1, arbitrary: edgeCaseString.map((provider) => tool('login', { provider })) },
  { weight: 1, arbitrary: edgeCaseValue.map((flow) => tool('login', { flow })) },
  { weight: 1, arbitrary: fc.constant(tool('login', { provider: 'codes', flow: 'device' })) },
  { weight: 1, arbitrary: edgeCaseString.map((provider) => tool('logout', { provider })) },
);

/** Notifications. */
export const notification: Arbitrary<Call> = fc.oneof(
  fc.constantFrom<Call>(
    { method: 'notifications/initialized', params: {} },
    { method: 'notifications/roots/list_changed', params: {} },
  ),
  requestId.map((id) => ({ method: 'notifications/cancelled', params: { requestId: id, reason: 'fuzz' } })),
  fc.tuple(requestId, edgeCaseValue).map(([progressToken, progress]) => ({
    method: 'notifications/progress',
    params: { progressToken, progress },
  })),
  edgeCaseString.map((name) => ({ method: `notifications/${name}`, params: {} })),
);
