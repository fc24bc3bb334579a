import fc, { type Arbitrary } from 'fast-check';
import { placeholder, SLOTS, TRIP_SLOTS } from './blueprint.js';
import { oddString, oddValue } from './odd-values.js';

/** A request or notification without its id. */
export interface Call {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** The number of a slot. */
export const slot: Arbitrary<number> = fc.nat(SLOTS - 1);

/** The number of a login. */
export const tripSlot: Arbitrary<number> = fc.nat(TRIP_SLOTS - 1);

/** Ids that collide between sessions. */
export const requestId: Arbitrary<unknown> = fc.oneof(
  { weight: 8, arbitrary: fc.nat(1000) },
  { weight: 1, arbitrary: oddString },
  { weight: 1, arbitrary: oddValue },
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
const cursor = fc.option(oddString, { freq: 3, nil: undefined });

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
  oddString.map((text) => tool('add_note', { text })),
  oddValue.map((text) => tool('add_note', { text })),
  oddString.map((text) => tool('note_first', { text })),
  oddString.map((text) => tool('ask_first', { text })),
  oddValue.map((argument) => tool('whoami', { argument })),
  oddString.map((name) => tool(name)),
  oddString.map((uri) => ({ method: 'resources/read', params: { uri } })),
  oddString.map((name) => ({ method: 'resources/read', params: { uri: `notes://${name}` } })),
  oddString.map((language) => ({
    method: 'prompts/get',
    params: { name: 'greeting', arguments: { language } },
  })),
  oddString.map((value) => ({
    method: 'completion/complete',
    params: { ref: { type: 'ref/prompt', name: 'greeting' }, argument: { name: 'language', value } },
  })),
  fc
    .tuple(fc.constantFrom('tools/list', 'resources/list', 'prompts/list'), cursor)
    .map(([method, at]) => ({ method, params: at === undefined ? {} : { cursor: at } })),
  oddString.map((method) => ({ method, params: {} })),
);

/** Calls that log a member out or in. */
export const disruptive: Arbitrary<Call> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(tool('login')) },
  { weight: 1, arbitrary: fc.constant(tool('logout')) },
  { weight: 1, arbitrary: tripSlot.map((at) => tool('login', { code: placeholder('code', at) })) },
  { weight: 1, arbitrary: oddValue.map((code) => tool('login', { code })) },
  { weight: 1, arbitrary: oddString.map((provider) => tool('login', { provider })) },
  { weight: 1, arbitrary: oddValue.map((flow) => tool('login', { flow })) },
  { weight: 1, arbitrary: fc.constant(tool('login', { provider: 'codes', flow: 'device' })) },
  { weight: 1, arbitrary: oddString.map((provider) => tool('logout', { provider })) },
);

/** Notifications. */
export const notification: Arbitrary<Call> = fc.oneof(
  fc.constantFrom<Call>(
    { method: 'notifications/initialized', params: {} },
    { method: 'notifications/roots/list_changed', params: {} },
  ),
  requestId.map((id) => ({ method: 'notifications/cancelled', params: { requestId: id, reason: 'fuzz' } })),
  fc.tuple(requestId, oddValue).map(([progressToken, progress]) => ({
    method: 'notifications/progress',
    params: { progressToken, progress },
  })),
  oddString.map((name) => ({ method: `notifications/${name}`, params: {} })),
);
