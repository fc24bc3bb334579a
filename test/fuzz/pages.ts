import fc, { type Arbitrary } from 'fast-check';
import { type Blueprint, type Header, placeholder } from './blueprint.js';
import { slot } from './json-rpc-messages.js';
import { mutated } from './mutations.js';
import { encoded, oddHeaderValue, oddString } from './odd-values.js';

const FORM = 'application/x-www-form-urlencoded';
const HOST: Header = ['host', placeholder('host')];
const FAILURES = [
  'declined',
  'expired',
  'browser_mismatch',
  'wrong_code',
  'superseded',
  'toString',
  '__proto__',
];

const opened = slot.map((at) => get('page: connect', placeholder('link', at), at));
const consented = slot.map(
  (at): Blueprint => submission(at, { form: placeholder('form', at), action: 'continue' }),
);
const consentedBadly = fc
  .tuple(slot, oddString, fc.constantFrom('continue', 'decline', ''), fc.boolean())
  .map(([at, odd, action, isDecline]): Blueprint => {
    return submission(at, { form: isDecline ? placeholder('form', at) : odd, action });
  });

const returned = slot.map((at) => {
  return get('callback', callback({ code: 'visitor', state: placeholder('state', at) }), at);
});
/** Elsewhere than on loopback the browser shows a code. */
const returnedFromAfar = slot.map((at): Blueprint => {
  const request = get('callback', callback({ code: 'visitor', state: placeholder('state', at) }), at);
  return { ...request, headers: [...request.headers, ['x-forwarded-for', '203.0.113.9']] };
});
const parameter = fc.tuple(
  fc.constantFrom('code', 'state', 'iss', 'error', 'error_description', 'session_state', '__proto__'),
  fc.oneof(
    oddString,
    slot.map((at) => placeholder('state', at)),
    fc.constantFrom('access_denied', 'visitor', placeholder('origin')),
  ),
);
const returnedBadly = fc
  .tuple(slot, fc.array(parameter, { maxLength: 5 }))
  .map(([at, parameters]) => get('callback: odd', `/callback?${queryOf(parameters)}`, at));
const returnedWithExtras = fc
  .tuple(slot, fc.array(parameter, { minLength: 1, maxLength: 2 }))
  .map(([at, parameters]) => {
    const path = callback({ code: 'visitor', state: placeholder('state', at) });
    return get('callback: odd', `${path}&${queryOf(parameters)}`, at);
  });

const shown = fc
  .oneof(
    fc.constantFrom('/login/done', '/healthz', '/'),
    fc.constantFrom(...FAILURES).map((failure) => `/login/failed/${failure}`),
    oddString.map((odd) => `/login/failed/${encoded(odd)}`),
    oddString.map((odd) => `/connect/${encoded(odd)}`),
  )
  .map((path) => get('page: other', path));
const codeShown = slot.map((at) => get('page: code', `${placeholder('link', at)}/code`, at));
const cookied = fc.tuple(slot, oddHeaderValue).map(
  ([at, cookie]): Blueprint => ({
    ...get('page: connect', placeholder('link', at)),
    headers: [HOST, ['cookie', cookie]],
  }),
);

/** What browsers ask for during logins, good and bad. */
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

function get(kind: string, path: string, trip?: number): Blueprint {
  const cookie: Header[] = trip === undefined ? [] : [['cookie', placeholder('cookie', trip)]];
  const headers: Header[] = [HOST, ['accept', 'text/html'], ...cookie];
  return { kind, method: 'GET', path, headers, ...(trip !== undefined && { trip }) };
}

function submission(at: number, fields: Record<string, string>): Blueprint {
  const { headers } = get('', '', at);
  return {
    kind: 'page: consent',
    method: 'POST',
    path: placeholder('link', at),
    headers: [...headers, ['origin', placeholder('origin')], ['content-type', FORM]],
    body: queryOf(Object.entries(fields)),
    trip: at,
  };
}

function callback(parameters: Record<string, string>): string {
  return `/callback?${queryOf(Object.entries(parameters))}`;
}

/** A query whose placeholders stay what they are. */
function queryOf(parameters: readonly (readonly [string, string])[]): string {
  return parameters
    .map(([name, value]) => `${name}=${value.startsWith('<<') ? value : encoded(value)}`)
    .join('&');
}
