import fc, { type Arbitrary } from 'fast-check';
import { type Blueprint, type Header, placeholder } from './blueprint.js';
import { edgeCaseHeaderValue, edgeCaseString, edgeCaseValue } from './edge-case-values.js';
import { slot } from './json-rpc-messages.js';

/** What was changed may open a stream, which does not end by itself. */
const STREAM_CUT_MS = 1000;

/** A change to a text, to the JSON in it, or to a list of headers. */
type Change<T> = (original: T) => T;

/** Every place in a JSON value where something can be put. */
function placesIn(value: unknown): [holder: Record<string, unknown>, key: string][] {
  if (typeof value !== 'object' || value === null) return [];
  // Arrays are objects too, as far as their elements are concerned.
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [[holder, key], ...placesIn(holder[key])]);
}

function atPlace(change: (holder: Record<string, unknown>, key: string) => void): Arbitrary<Change<string>> {
  return fc.nat(1000).map((number) => (text) => {
    // Forms are changed as texts.
    if (!/^[{[]/.test(text)) return text;
    const value: unknown = JSON.parse(text);
    const places = placesIn(value);
    const place = places[number % places.length];
    if (place) change(...place);
    return JSON.stringify(value);
  });
}

const jsonChange: Arbitrary<Change<string>> = fc.oneof(
  atPlace((holder, key) => {
    delete holder[key];
  }),
  edgeCaseValue.chain((odd) =>
    atPlace((holder, key) => {
      holder[key] = odd;
    }),
  ),
  fc.tuple(edgeCaseString, edgeCaseValue).chain(([name, odd]) =>
    atPlace((holder) => {
      holder[name] = odd;
    }),
  ),
  atPlace((holder, key) => {
    holder[key] = [holder[key]];
  }),
);

const position = fc.nat(10_000);
const textChange: Arbitrary<Change<string>> = fc.oneof(
  position.map((at) => (text: string) => text.slice(0, at % (text.length + 1))),
  fc.tuple(position, edgeCaseString).map(([at, odd]) => (text: string) => {
    const where = at % (text.length + 1);
    return text.slice(0, where) + odd + text.slice(where);
  }),
  fc.constantFrom<Change<string>>(
    (text) => `\ufeff${text}`,
    (text) => `${text}${text}`,
    (text) => `[${text}]`,
    (text) => `[${text},${text}]`,
    (text) => text.replace('{', '{"method":"ping",'),
    (text) => text.replaceAll('"', "'"),
  ),
);

/** Headers that proxies and servers interpret, with possible values. */
const CONSIDERED: readonly (readonly [string, ...string[]])[] = [
  ['accept', 'application/json', 'text/event-stream', 'text/html'],
  ['content-type', 'text/plain', 'application/json; charset=utf-16', 'application/x-www-form-urlencoded'],
  [
    'mcp-protocol-version',
    '2024-11-05',
    '2025-03-26',
    '2025-06-18',
    '2025-11-25',
    '2026-07-28',
    '1900-01-01',
  ],
  ['mcp-method', 'ping', 'tools/list', 'initialize'],
  ['mcp-name', 'whoami', 'list_notes'],
  ['last-event-id', '1', 'standalone_1', placeholder('event', 1)],
  ['authorization', 'Bearer x', 'Basic dTpw', 'Bearer'],
  ['cookie', 'a=b', 'a=b; a=c', '='],
  ['x-forwarded-for', '203.0.113.9', '127.0.0.1, 203.0.113.9'],
  ['x-forwarded-host', 'evil.example', 'localhost'],
  ['x-forwarded-proto', 'https'],
  ['forwarded', 'for=203.0.113.9;host=evil.example'],
  ['expect', '100-continue'],
  ['connection', 'close', 'upgrade'],
  ['upgrade', 'websocket', 'h2c'],
  ['accept-encoding', 'gzip, br'],
  ['content-encoding', 'gzip'],
  ['origin', 'https://evil.example', 'null', 'http://localhost:1', placeholder('origin')],
  ['host', 'evil.example', 'localhost', '[::1]', '127.0.0.1:1', placeholder('host')],
];

const considered: Arbitrary<Header> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(...CONSIDERED)
      .chain(([name, ...values]) => fc.constantFrom(...values).map((value): Header => [name, value])),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(...CONSIDERED.map(([name]) => name)), edgeCaseHeaderValue),
  },
  { weight: 1, arbitrary: slot.map((at): Header => ['mcp-session-id', placeholder('connection', at)]) },
  { weight: 1, arbitrary: edgeCaseHeaderValue.map((value): Header => ['mcp-session-id', value]) },
);

const headerChange: Arbitrary<Change<readonly Header[]>> = fc.oneof(
  considered.map((header) => (headers: readonly Header[]) => [...headers, header]),
  considered.map((header) => (headers: readonly Header[]) => [
    ...headers.filter(([name]) => name !== header[0]),
    header,
  ]),
  fc.nat(100).map((at) => (headers: readonly Header[]) => headers.toSpliced(at % (headers.length || 1), 1)),
  fc.nat(100).map((at) => (headers: readonly Header[]) => {
    const twice = headers[at % (headers.length || 1)];
    return twice ? [...headers, twice] : headers;
  }),
);

const change: Arbitrary<Change<Blueprint>> = fc.oneof(
  fc.array(jsonChange, { minLength: 1, maxLength: 3 }).map((changes) => inBody(changes)),
  textChange.map((textual) => inBody([textual])),
  fc.array(headerChange, { minLength: 1, maxLength: 3 }).map((changes) => inHeaders(changes)),
);

/** Requests of a kind with something wrong. What they have to show, or must not, is not known any more. */
export function mutated(requests: Arbitrary<Blueprint>, kind: string): Arbitrary<Blueprint> {
  return fc.tuple(requests, change).map(([request, mutate]) =>
    throughout(request, (original) => {
      const { visitor: _, ...changed } = mutate(original);
      return { cutMs: STREAM_CUT_MS, ...changed, kind, showsOwner: false };
    }),
  );
}

function throughout(request: Blueprint, change: Change<Blueprint>): Blueprint {
  const { steps } = request;
  if (!steps) return change(request);
  const changed = Object.entries(steps).map(([step, each]) => [step, change(each)] as const);
  // The steps are the same; only what is sent has changed.
  return { ...change(request), steps: Object.fromEntries(changed) as typeof steps };
}

function inBody(changes: readonly Change<string>[]): Change<Blueprint> {
  return (request) => {
    if (request.body === undefined) return request;
    return { ...request, body: changes.reduce((body, each) => each(body), request.body) };
  };
}

function inHeaders(changes: readonly Change<readonly Header[]>[]): Change<Blueprint> {
  return (request) => ({
    ...request,
    headers: changes.reduce((headers, each) => each(headers), request.headers),
  });
}
