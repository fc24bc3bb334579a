import fc, { type Arbitrary } from 'fast-check';
import { type Blueprint, MEMBERS_PER_ERA, placeholder } from './blueprint.js';
import { edgeCaseString, edgeCaseValue } from './edge-case-values.js';
import {
  disruptive,
  harmless,
  notification,
  ownId,
  requestId,
  slot,
  telling,
  tool,
  tripSlot,
} from './json-rpc-messages.js';
import { mutated } from './mutations.js';
import { anotherRound, type Naming, named, request, URL_ELICITATION } from './request-2026.js';

/** Calls that wait for a browser take longer. */
const ROUND_CUT_MS = 100;
const LISTEN_CUT_MS = 20;

const naming = fc.constantFrom<Naming>('argument', '_meta', 'both');
const member = fc.integer({ min: MEMBERS_PER_ERA, max: 2 * MEMBERS_PER_ERA - 1 });

const telltale = fc.tuple(member, telling, naming, ownId).map(
  ([owner, call, how, id]): Blueprint => ({
    ...request('2026 member', named(call, memberOf(owner), how), id),
    owner,
    showsOwner: true,
  }),
);
const harmlessOfMember = fc
  .tuple(member, fc.oneof({ weight: 4, arbitrary: harmless }, notification), naming, requestId)
  .map(
    ([owner, call, how, id]): Blueprint => ({
      ...request('2026 member', named(call, memberOf(owner), how), id),
      owner,
    }),
  );
const nameless = fc
  .tuple(fc.oneof(telling, harmless), requestId)
  .map(([call, id]) => request('2026 nameless', call, id));
const dropped = fc.tuple(member, telling, naming, fc.nat(5)).map(
  ([owner, call, how, dropMs]): Blueprint => ({
    ...request('2026 dropped', named(call, memberOf(owner), how), 1),
    owner,
    dropMs,
  }),
);

const login = fc.tuple(requestId, fc.oneof(fc.constant('fuzz'), edgeCaseString)).map(([id, client]) => {
  return request('2026 login', tool('login'), id, { client });
});
const elicitedLogin = requestId.map((id) =>
  request('2026 elicited login', tool('login'), id, { capabilities: URL_ELICITATION }),
);
const round = fc
  .tuple(
    fc.oneof(
      slot.map((at) => placeholder('requestState', at)),
      slot.map((at) => `${placeholder('requestState', at)}x`),
      edgeCaseString,
      edgeCaseValue,
    ),
    fc.oneof(
      fc.constantFrom({ action: 'accept' }, { action: 'decline' }, { action: 'cancel' }),
      edgeCaseValue,
    ),
  )
  .map(([requestState, login]): Blueprint => {
    const call = anotherRound(tool('login'), requestState, { login });
    return {
      ...request('2026 further round', call, 1, { capabilities: URL_ELICITATION }),
      dropMs: ROUND_CUT_MS,
    };
  });
const pending = fc
  .tuple(tripSlot, fc.oneof({ weight: 2, arbitrary: disruptive }, telling), naming, requestId)
  .map(([at, call, how, id]) => {
    return { ...request('2026 pending', named(call, placeholder('pending', at), how), id), pendingLogin: at };
  });
const throwAway = fc
  .tuple(slot, fc.oneof(telling, harmless, disruptive), naming, requestId)
  .map(([at, call, how, id]) => request('2026 throw-away', named(call, placeholder('session', at), how), id));

const listen = fc
  .tuple(
    fc.option(member, { freq: 3 }),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant<unknown>({ resourceSubscriptions: ['session://status'] }) },
      { weight: 1, arbitrary: fc.constant<unknown>({ toolsListChanged: true, resourcesListChanged: true }) },
      { weight: 1, arbitrary: edgeCaseValue },
    ),
    fc.nat(LISTEN_CUT_MS),
    requestId,
  )
  .map(([owner, notifications, cutMs, id]): Blueprint => {
    const call = { method: 'subscriptions/listen', params: { notifications } };
    if (owner === null) return { ...request('2026 listen', call, id), cutMs };
    return { ...request('2026 listen', named(call, memberOf(owner), '_meta'), id), owner, cutMs };
  });

/** Ids that are not valid: ids of connections, changed and invented handles, two different handles. */
const wrongHandle = fc
  .tuple(
    fc.oneof<Arbitrary<unknown>[]>(
      fc.nat(MEMBERS_PER_ERA - 1).map((at) => placeholder('member', at)),
      slot.map((at) => placeholder('connection', at)),
      member.map((at) => `${memberOf(at)}x`),
      member.map((at) => [memberOf(at)]),
      edgeCaseValue,
    ),
    fc.oneof(telling, harmless, disruptive),
    naming,
  )
  .map(([handle, call, how]) => request('2026 wrong handle', named(call, handle, how), 1));
const discord = fc
  .tuple(
    member,
    fc.oneof<Arbitrary<unknown>[]>(
      tripSlot.map((at) => placeholder('pending', at)),
      edgeCaseValue,
    ),
  )
  .map(([owner, other]): Blueprint => {
    const call = named(named(tool('whoami'), memberOf(owner), 'argument'), other, '_meta');
    return { ...request('2026 wrong handle', call, 1), owner };
  });

/** Valid and invalid requests of clients of the 2026 revision. */
export const mcp2026: Arbitrary<Blueprint> = fc.oneof(
  { weight: 18, arbitrary: telltale },
  { weight: 10, arbitrary: harmlessOfMember },
  { weight: 3, arbitrary: nameless },
  { weight: 1, arbitrary: dropped },
  { weight: 1, arbitrary: login },
  { weight: 1, arbitrary: elicitedLogin },
  { weight: 2, arbitrary: round },
  { weight: 4, arbitrary: pending },
  { weight: 8, arbitrary: throwAway },
  { weight: 3, arbitrary: listen },
  { weight: 4, arbitrary: wrongHandle },
  { weight: 1, arbitrary: discord },
  { weight: 8, arbitrary: mutated(fc.oneof(telltale, harmlessOfMember, nameless), '2026 mutated') },
  { weight: 3, arbitrary: mutated(fc.oneof(throwAway, pending, round), '2026 mutated') },
  { weight: 1, arbitrary: mutated(listen, '2026 mutated') },
);

function memberOf(owner: number): string {
  return placeholder('member', owner);
}
