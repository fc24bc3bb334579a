import fc, { type Arbitrary } from 'fast-check';
import { type Blueprint, placeholder } from './blueprint.js';
import { visitorOf } from './canaries.js';
import { edgeCaseHeaderValue, edgeCaseString, encoded } from './edge-case-values.js';
import { tripSlot } from './json-rpc-messages.js';
import { mutated } from './mutations.js';
import { callback, fromAfar, get, HOST, queryOf, submission } from './request-page.js';

const FAILURES = [
  'declined',
  'expired',
  'browser_mismatch',
  'wrong_code',
  'superseded',
  'canceled',
  'toString',
  '__proto__',
];

const opened = tripSlot.map((at) => get('page: connect', placeholder('link', at), at));
const consented = tripSlot.map(
  (at): Blueprint => submission('page: consent', at, { form: placeholder('form', at), action: 'continue' }),
);
const consentedBadly = fc
  .tuple(tripSlot, edgeCaseString, fc.constantFrom('continue', 'decline', ''), fc.boolean())
  .map(([at, odd, action, isDecline]): Blueprint => {
    return submission('page: consent', at, { form: isDecline ? placeholder('form', at) : odd, action });
  });

const returned = tripSlot.map((at) => {
  return get('callback', callback({ code: visitorOf(at), state: placeholder('state', at) }), at);
});
const returnedFromAfar = returned.map(fromAfar);
const parameter = fc.tuple(
  fc.constantFrom('code', 'state', 'iss', 'error', 'error_description', 'session_state', '__proto__'),
  fc.oneof(
    edgeCaseString,
    tripSlot.map((at) => placeholder('state', at)),
    fc.constantFrom('access_denied', 'visitor', placeholder('origin')),
  ),
);
const returnedBadly = fc
  .tuple(tripSlot, fc.array(parameter, { maxLength: 5 }))
  .map(([at, parameters]) => get('callback: odd', `/callback?${queryOf(parameters)}`, at));
const returnedWithExtras = fc
  .tuple(tripSlot, fc.array(parameter, { minLength: 1, maxLength: 2 }))
  .map(([at, parameters]) => {
    const path = callback({ code: visitorOf(at), state: placeholder('state', at) });
    return get('callback: odd', `${path}&${queryOf(parameters)}`, at);
  });

const shown = fc
  .oneof(
    fc.constantFrom('/login/done', '/healthz', '/'),
    fc.constantFrom(...FAILURES).map((failure) => `/login/failed/${failure}`),
    edgeCaseString.map((odd) => `/login/failed/${encoded(odd)}`),
    edgeCaseString.map((odd) => `/connect/${encoded(odd)}`),
  )
  .map((path) => get('page: other', path));
const codeShown = tripSlot.map((at) => get('page: code', `${placeholder('link', at)}/code`, at));
const cookied = fc.tuple(tripSlot, edgeCaseHeaderValue).map(
  ([at, cookie]): Blueprint => ({
    ...get('page: connect', placeholder('link', at)),
    headers: [HOST, ['cookie', cookie]],
  }),
);

/** Valid and invalid requests of browsers during logins. */
export const pages: Arbitrary<Blueprint> = fc.oneof(
  { weight: 5, arbitrary: opened },
  { weight: 5, arbitrary: consented },
  { weight: 2, arbitrary: consentedBadly },
  { weight: 5, arbitrary: returned },
  { weight: 1, arbitrary: returnedFromAfar },
  { weight: 3, arbitrary: returnedBadly },
  { weight: 1, arbitrary: returnedWithExtras },
  { weight: 3, arbitrary: shown },
  { weight: 1, arbitrary: codeShown },
  { weight: 1, arbitrary: cookied },
  { weight: 2, arbitrary: mutated(fc.oneof(opened, consented, returned, shown), 'page: mutated') },
);
