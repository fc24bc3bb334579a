import fc, { type Arbitrary } from 'fast-check';
import { type Blueprint, placeholder, type Step, type Way } from './blueprint.js';
import { visitorOf } from './canaries.js';
import { edgeCaseString } from './edge-case-values.js';
import { type Call, requestId, tool, tripSlot } from './json-rpc-messages.js';
import { initialize } from './mcp-2025.js';
import { mutated } from './mutations.js';
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
  readonly pendingLogin: number;
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
  pendingLogin: tripSlot,
  id: requestId,
  isFar: fc.nat(9).map((dice) => dice < 3),
  consent: fc.nat(29).map((dice) => (dice === 0 ? 'decline' : 'continue')),
  answer: fc.nat(29).map((dice) => (dice === 0 ? 'decline' : dice === 1 ? 'cancel' : 'accept')),
  typo: fc.option(fc.oneof(fc.constant('AAAA-AAAA'), edgeCaseString), { freq: 9, nil: undefined }),
  isEager: fc.nat(9).map((dice) => dice < 3),
  patience: fc.integer({ min: 100, max: 1500 }),
});

/** The first request of a login without a connection. */
const beginning = (ways: readonly Way[], capabilities: object): Arbitrary<Blueprint> =>
  fc.constantFrom(...ways).map((way) => {
    return { ...request('login: begin', callOf(way), 1, { capabilities }), begins: way };
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
  const { pendingLogin, isEager } = how;
  return { ...begin, pendingLogin, visitor: pendingLogin, isEager, steps: stepsOf(how) };
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
  return fc
    .tuple(tripSlot, begun)
    .map(([pendingLogin, begin]) => ({ ...begin, pendingLogin, visitor: pendingLogin }));
}

function stepsOf({
  pendingLogin,
  id,
  isFar,
  consent,
  answer,
  typo,
  isEager: _,
  patience,
}: Manner): Record<Step, Blueprint> {
  const login = tool('login', {
    provider: placeholder('provider', pendingLogin),
    flow: placeholder('flow', pendingLogin),
  });
  const confirm = tool('login', {
    provider: placeholder('provider', pendingLogin),
    code: typo ?? placeholder('code', pendingLogin),
  });
  const over = (kind: string, call: Call) => ({
    ...inConnection(kind, 'own connection', pendingLogin, message(call, id)),
    pendingLogin,
    visitor: pendingLogin,
  });
  const withHandle = (kind: string, call: Call) => ({
    ...request(kind, named(call, placeholder('pending', pendingLogin), 'argument'), id),
    pendingLogin,
    visitor: pendingLogin,
  });
  const back = get(
    'login: return',
    callback({ code: visitorOf(pendingLogin), state: placeholder('state', pendingLogin) }),
    pendingLogin,
  );
  return {
    'ask 2025': { ...over('login: ask 2025', login), cutMs: LOGIN_CUT_MS },
    'ask 2026': withHandle('login: ask 2026', login),
    'wait 2025': { ...over('login: wait 2025', login), patience },
    'wait 2026': { ...withHandle('login: wait 2026', login), patience },
    'come back': { ...comeBack(pendingLogin, id, answer), patience },
    open: get('login: open', placeholder('link', pendingLogin), pendingLogin),
    consent: submission('login: consent', pendingLogin, {
      form: placeholder('form', pendingLogin),
      action: consent,
    }),
    return: isFar ? fromAfar(back) : back,
    'see code': get('login: see code', `${placeholder('link', pendingLogin)}/code`, pendingLogin),
    'see end': get('login: see end', '/login/done', pendingLogin),
    'confirm 2025': over('login: confirm 2025', confirm),
    'confirm 2026': withHandle('login: confirm 2026', confirm),
  };
}

/** The next request of the call that required the login. Its tool ignores unknown arguments. */
function comeBack(pendingLogin: number, id: unknown, action: Manner['answer']): Blueprint {
  const call = tool(placeholder('tool', pendingLogin), {
    provider: placeholder('provider', pendingLogin),
    flow: placeholder('flow', pendingLogin),
    text: 'first',
  });
  const responses = { login: { action }, confirm: { action } };
  const round = anotherRound(call, placeholder('round', pendingLogin), responses);
  return {
    ...request('login: come back', round, id, { capabilities: URL_ELICITATION }),
    pendingLogin,
    visitor: pendingLogin,
  };
}

function callOf({ tool: name, provider, flow }: Way): Call {
  return tool(name, { provider, flow, text: 'first' });
}
