import fc, { type Arbitrary } from 'fast-check';
import { type Blueprint, type Header, MEMBERS_PER_ERA, placeholder } from './blueprint.js';
import { edgeCaseHeaderValue, edgeCaseString, edgeCaseValue } from './edge-case-values.js';
import {
  disruptive,
  harmless,
  notification,
  ownId,
  requestId,
  slot,
  telling,
  tripSlot,
} from './json-rpc-messages.js';
import { mutated } from './mutations.js';
import { inConnection, JSON_HEADERS, message, post } from './request-2025.js';

const STREAM_HEADERS: readonly Header[] = [
  ['host', placeholder('host')],
  ['accept', 'text/event-stream'],
];
/** Only calls of clients that open links themselves wait for the user. */
const LOGIN_CUT_MS = 300;
const STREAM_CUT_MS = 60;

const versions = fc.constantFrom('2025-11-25', '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '1.0');
const capabilities = fc.constantFrom({}, { elicitation: { url: {} } }, { roots: {}, sampling: {} });

/** The request that starts a connection. */
export const initialize: Arbitrary<Blueprint> = fc
  .tuple(versions, capabilities, fc.oneof(fc.constant('fuzz'), edgeCaseString), requestId)
  .map(([protocolVersion, capabilities, name, id]) => {
    const params = { protocolVersion, capabilities, clientInfo: { name, version: '1' } };
    return post('2025 initialize', JSON_HEADERS, message({ method: 'initialize', params }, id));
  });

const member = fc.nat(MEMBERS_PER_ERA - 1);

const telltale = fc.tuple(member, telling, ownId).map(([owner, call, id]): Blueprint => {
  return { ...inConnection('2025 member', 'member', owner, message(call, id)), owner, showsOwner: true };
});
const harmlessOfMember = fc.tuple(member, harmless, requestId).map(
  ([owner, call, id]): Blueprint => ({
    ...inConnection('2025 member', 'member', owner, message(call, id)),
    owner,
  }),
);
const noted = fc.tuple(member, notification).map(
  ([owner, call]): Blueprint => ({
    ...inConnection('2025 notification', 'member', owner, message(call, undefined)),
    owner,
  }),
);
const answered = fc.tuple(member, requestId, edgeCaseValue).map(([owner, id, result]): Blueprint => {
  const body = JSON.stringify({ jsonrpc: '2.0', id, result });
  return { ...inConnection('2025 answer', 'member', owner, body), owner };
});
const batch = fc
  .tuple(member, fc.array(fc.tuple(fc.oneof(telling, harmless, notification), requestId), { maxLength: 5 }))
  .map(([owner, calls]): Blueprint => {
    const body = `[${calls.map(([call, id]) => message(call, id)).join()}]`;
    return { ...inConnection('2025 batch', 'member', owner, body), owner };
  });

const throwAway = fc
  .tuple(slot, fc.oneof(telling, harmless, disruptive), requestId)
  .map(([at, call, id]) => ({
    ...inConnection('2025 throw-away', 'connection', at, message(call, id)),
    cutMs: LOGIN_CUT_MS,
  }));
const dropped = fc.tuple(member, telling, requestId, fc.nat(5)).map(
  ([owner, call, id, dropMs]): Blueprint => ({
    ...inConnection('2025 dropped', 'member', owner, message(call, id)),
    owner,
    dropMs,
  }),
);

const ended = slot.map((at): Blueprint => {
  return { ...inConnection('2025 DELETE', 'connection', at, ''), method: 'DELETE' };
});
const lastEventId = fc.oneof(
  slot.map((at) => placeholder('event', at)),
  edgeCaseHeaderValue,
);
const stream = fc
  .tuple(
    fc.oneof(
      slot,
      member.map((owner) => ({ owner })),
    ),
    fc.option(lastEventId, { freq: 1 }),
    fc.nat(STREAM_CUT_MS),
  )
  .map(([whose, event, cutMs]): Blueprint => {
    const id = typeof whose === 'number' ? placeholder('connection', whose) : memberOf(whose.owner);
    const headers: Header[] = [...STREAM_HEADERS, ['mcp-session-id', id]];
    if (event !== null) headers.push(['last-event-id', event]);
    const owner = typeof whose === 'number' ? {} : whose;
    return { kind: '2025 stream', method: 'GET', path: '/mcp', headers, cutMs, ...owner };
  });
/** Ids that are not valid: handles, and changed and invented ids. */
const wrongId = fc
  .tuple(
    fc.oneof(
      member.map((owner) => placeholder('member', MEMBERS_PER_ERA + owner)),
      member.map((owner) => `${memberOf(owner)}x`),
      slot.map((at) => placeholder('session', at)),
      tripSlot.map((at) => placeholder('pending', at)),
      edgeCaseHeaderValue,
    ),
    fc.oneof(telling, harmless, disruptive),
    fc.constantFrom('POST', 'GET', 'DELETE'),
  )
  .map(([id, call, method]): Blueprint => {
    const headers: Header[] = [...JSON_HEADERS, ['mcp-session-id', id]];
    return { ...post('2025 wrong id', headers, message(call, 1)), method };
  });

/** Valid and invalid requests of clients of the 2025 revisions. */
export const mcp2025: Arbitrary<Blueprint> = fc.oneof(
  { weight: 1, arbitrary: initialize },
  { weight: 18, arbitrary: telltale },
  { weight: 10, arbitrary: harmlessOfMember },
  { weight: 5, arbitrary: noted },
  { weight: 1, arbitrary: answered },
  { weight: 4, arbitrary: batch },
  { weight: 10, arbitrary: throwAway },
  { weight: 1, arbitrary: dropped },
  { weight: 1, arbitrary: ended },
  { weight: 3, arbitrary: stream },
  { weight: 4, arbitrary: wrongId },
  { weight: 8, arbitrary: mutated(fc.oneof(telltale, harmlessOfMember, batch), '2025 mutated') },
  { weight: 3, arbitrary: mutated(throwAway, '2025 mutated') },
  { weight: 1, arbitrary: mutated(initialize, '2025 mutated initialize') },
);

function memberOf(owner: number): string {
  return placeholder('member', owner);
}
