import fc, { type Arbitrary } from 'fast-check';
import { type Blueprint, placeholder, type Step, type Way } from './blueprint.js';
import { visitorOf } from './canaries.js';
import { type Call, requestId, tool, tripSlot } from './json-rpc-messages.js';
import { initialize } from './mcp-2025.js';
import { mutated } from './mutations.js';
import { oddString } from './odd-values.js';
import { inConnection, message } from './request-2025.js';
import { anotherRound, named, request, URL_ELICITATION } from './request-2026.js';
import { callback, fromAfar, get, submission } from './request-page.js';

/** Only calls of 2025 clients that open links themselves wait for the user. */
const LOGIN_CUT_MS = 300;

const link = (provider: Way['provider']): Way => ({ tool: 'login', provider, flow: 'link' });
const DEVICE: Way = { tool: 'login', provider: 'codes', flow: 'device' };
const AFTER_LOGIN: readonly Way[] = [
  { tool: 'note_first', provider: 'main', flow: 'link' },
  { tool: 'ask_first', provider: 'main', flow: 'link' },
];

/** The variations of the next step of a login. */
interface Manner {
  readonly trip: number;
  readonly id: unknown;
  /** Whether the browser returns from another machine. */
  readonly isFar: boolean;
  readonly consent: 'continue' | 'decline';
  readonly answer: 'accept' | 'decline' | 'cancel';
  /** The text in place of the code; `undefined`: the code. */
  readonly typo: string | undefined;
  readonly isEager: boolean;
  readonly patience: number;
}

const manner: Arbitrary<Manner> = fc.record({
  trip: tripSlot,
  id: requestId,
  isFar: fc.nat(9).map((dice) => dice < 3),
  consent: fc.nat(29).map((dice) => (dice === 0 ? 'decline' : 'continue')),
  answer: fc.nat(29).map((dice) => (dice === 0 ? 'decline' : dice === 1 ? 'cancel' : 'accept')),
  typo: fc.option(fc.oneof(fc.constant('AAAA-AAAA'), oddString), { freq: 9, nil: undefined }),
  isEager: fc.nat(9).map((dice) => dice < 3),
  patience: fc.integer({ min: 100, max: 1500 }),
});

/** The first request of a login without a connection. */
const beginning = (ways: readonly Way[], capabilities: object): Arbitrary<Blueprint> =>
  fc.constantFrom(...ways).map((way) => {
    return { ...request('login: begin', callOf(way), 1, capabilities), begins: way };
  });

const begun: Arbitrary<Blueprint> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(initialize, fc.constantFrom(link('main'), link('codes'), DEVICE))
      .map(([blueprint, begins]): Blueprint => ({ ...blueprint, kind: 'login: connect', begins })),
  },
  { weight: 4, arbitrary: beginning([link('main'), link('codes'), DEVICE], {}) },
  { weight: 2, arbitrary: beginning([link('main'), link('codes'), DEVICE], URL_ELICITATION) },
  { weight: 4, arbitrary: beginning(AFTER_LOGIN, URL_ELICITATION) },
  { weight: 1, arbitrary: beginning(AFTER_LOGIN, {}) },
);

/** Starts a login, or continues it with its next step. */
const onward = fc.tuple(manner, begun).map(([how, begin]): Blueprint => {
  const { trip, isEager } = how;
  return { ...begin, trip, visitor: trip, isEager, steps: stepsOf(how) };
});

/** A step out of order: too early, too late, or repeated. */
const astray = fc
  .tuple(
    manner,
    fc.constantFrom<Step>('open', 'consent', 'return', 'see code', 'come back', 'ask 2026', 'confirm 2026'),
  )
  .map(([how, step]): Blueprint => ({ ...stepsOf(how)[step], kind: `login astray: ${step}` }));

/** Complete logins, by most tools, providers and flows. */
export const logins: Arbitrary<Blueprint> = fc.oneof(
  { weight: 16, arbitrary: onward },
  { weight: 2, arbitrary: astray },
  { weight: 2, arbitrary: mutated(fc.oneof(onward, astray), 'login mutated') },
  { weight: 1, arbitrary: begunAnew() },
);

/** Abandons the previous login. */
function begunAnew(): Arbitrary<Blueprint> {
  return fc.tuple(tripSlot, begun).map(([trip, begin]) => ({ ...begin, trip, visitor: trip }));
}

function stepsOf({
  trip,
  id,
  isFar,
  consent,
  answer,
  typo,
  isEager: _,
  patience,
}: Manner): Record<Step, Blueprint> {
  const login = tool('login', { provider: placeholder('provider', trip), flow: placeholder('flow', trip) });
  const confirm = tool('login', {
    provider: placeholder('provider', trip),
    code: typo ?? placeholder('code', trip),
  });
  const over = (kind: string, call: Call) => ({
    ...inConnection(kind, 'own connection', trip, message(call, id)),
    trip,
    visitor: trip,
  });
  const withHandle = (kind: string, call: Call) => ({
    ...request(kind, named(call, placeholder('pending', trip), 'argument'), id),
    trip,
    visitor: trip,
  });
  const back = get(
    'login: return',
    callback({ code: visitorOf(trip), state: placeholder('state', trip) }),
    trip,
  );
  return {
    'ask 2025': { ...over('login: ask 2025', login), cutMs: LOGIN_CUT_MS },
    'ask 2026': withHandle('login: ask 2026', login),
    'wait 2025': { ...over('login: wait 2025', login), patience },
    'wait 2026': { ...withHandle('login: wait 2026', login), patience },
    'come back': { ...comeBack(trip, id, answer), patience },
    open: get('login: open', placeholder('link', trip), trip),
    consent: submission('login: consent', trip, { form: placeholder('form', trip), action: consent }),
    return: isFar ? fromAfar(back) : back,
    'see code': get('login: see code', `${placeholder('link', trip)}/code`, trip),
    'see end': get('login: see end', '/login/done', trip),
    'confirm 2025': over('login: confirm 2025', confirm),
    'confirm 2026': withHandle('login: confirm 2026', confirm),
  };
}

/** The next request of the call that required the login. Its tool ignores unknown arguments. */
function comeBack(trip: number, id: unknown, action: Manner['answer']): Blueprint {
  const call = tool(placeholder('tool', trip), {
    provider: placeholder('provider', trip),
    flow: placeholder('flow', trip),
    text: 'first',
  });
  const responses = { login: { action }, confirm: { action } };
  const round = anotherRound(call, placeholder('round', trip), responses);
  return { ...request('login: come back', round, id, URL_ELICITATION), trip, visitor: trip };
}

function callOf({ tool: name, provider, flow }: Way): Call {
  return tool(name, { provider, flow, text: 'first' });
}
