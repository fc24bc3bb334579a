import fc, { type Arbitrary } from 'fast-check';
import { type Blueprint, type Header, placeholder } from './blueprint.js';
import { edgeCaseHeaderValue, edgeCaseString, edgeCaseValue, encoded } from './edge-case-values.js';
import { mutated } from './mutations.js';

const HOST: Header = ['host', placeholder('host')];
const JSON_HEADERS: readonly Header[] = [
  HOST,
  ['content-type', 'application/json'],
  ['accept', 'application/json, text/event-stream'],
];
const KIB = 1024;

const PATHS = [
  '/',
  '//',
  '/mcp/',
  '//mcp',
  '/mcp/..',
  '/./mcp',
  '/../mcp',
  '/%6dcp',
  '/mcp%00',
  '/mcp;a=b',
  '/mcp?session=x',
  '/mcp#x',
  '/MCP',
  '/healthz',
  '/healthz/',
  '/connect',
  '/connect/',
  '/connect//code',
  '/connect/%2e%2e/healthz',
  '/connect/%',
  '/callback',
  '/login/callback/sample',
  '/login/callback/%',
  '/login/sign-in',
  '/callback?',
  '/callback?%',
  '/login/failed/',
  '/favicon.ico',
  '/sse',
  '/.well-known/oauth-protected-resource',
  '/.well-known/oauth-protected-resource/mcp',
  '/.well-known/oauth-authorization-server',
  '/.well-known/oauth-authorization-server/mcp',
  '/.well-known/openid-configuration',
  'http://evil.example/mcp',
  `${placeholder('origin')}/healthz`,
  '*',
];
const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'QUERY',
  'ODD',
];

const wandering = fc
  .tuple(
    fc.constantFrom(...METHODS),
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...PATHS) },
      { weight: 1, arbitrary: edgeCaseString.map((odd) => `/${encoded(odd)}`) },
      { weight: 1, arbitrary: edgeCaseHeaderValue.map((odd) => `/mcp/${odd}`) },
    ),
  )
  .map(([method, path]): Blueprint => ({ kind: 'odd path', method, path, headers: [HOST] }));

const anyMethod = fc
  .constantFrom(...METHODS)
  .map(
    (method): Blueprint => ({ kind: 'odd method', method, path: '/mcp', headers: JSON_HEADERS, body: '{}' }),
  );

const preflight = fc
  .tuple(fc.constantFrom(placeholder('origin'), 'https://evil.example', 'null', ''), edgeCaseHeaderValue)
  .map(([origin, method]): Blueprint => {
    const headers: Header[] = [HOST, ['origin', origin], ['access-control-request-method', method]];
    return { kind: 'preflight', method: 'OPTIONS', path: '/mcp', headers };
  });

const otherHost = fc
  .tuple(
    fc.oneof(
      fc.constantFrom('evil.example', '', 'localhost.evil.example', '127.0.0.1.nip.io', '0'),
      edgeCaseHeaderValue,
    ),
  )
  .map(([host]) => post('odd host', [['host', host], ...JSON_HEADERS.slice(1)], '{}'));

const oddBody = fc.oneof(
  edgeCaseValue.map((value) => JSON.stringify(value)),
  edgeCaseString,
  fc.constantFrom('{', '[]', '[[]]', '{"jsonrpc":"2.0"}', '{"id":1}', 'NaN', '1e999', '{"a":1,"a":2}'),
);
const nonsense = oddBody.map((body) => post('odd body', JSON_HEADERS, body));

const deep = fc
  .tuple(
    fc.constantFrom(10, 31, 32, 33, 100, 10_000, 100_000),
    fc.constantFrom(['[', ']'], ['{"a":', '}'], ['[{"a":', '}]']),
  )
  .map(([levels, [open = '', close = '']]) => {
    const nested = `${open.repeat(levels)}1${close.repeat(levels)}`;
    const body = `{"jsonrpc":"2.0","id":1,"method":"ping","params":${nested}}`;
    return post('deep body', JSON_HEADERS, body);
  });

const large = fc
  .tuple(
    fc.constantFrom(17, 100, 1000, 1024, 1025, 1500),
    fc.constantFrom('initialize', 'ping'),
    fc.boolean(),
  )
  .map(([kib, method, isForm]): Blueprint => {
    const name = 'n'.repeat(kib * KIB);
    if (isForm) {
      const headers: Header[] = [HOST, ['content-type', 'application/x-www-form-urlencoded']];
      return { ...post('large body', headers, `form=${name}`), path: placeholder('link') };
    }
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name, version: '1' } };
    return post('large body', JSON_HEADERS, JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
  });

const manyHeaders = fc
  .tuple(fc.constantFrom(10, 100, 1000, 2500), fc.constantFrom('x-odd', 'cookie', 'mcp-session-id', 'origin'))
  .map(([count, name]): Blueprint => {
    const headers = Array.from({ length: count }, (_, at): Header => [name, `a${at}`]);
    return { ...post('many headers', [...JSON_HEADERS, ...headers], '{}') };
  });

/** Requests that no MCP client sends. */
export const unusualRequests: Arbitrary<Blueprint> = fc.oneof(
  { weight: 30, arbitrary: wandering },
  { weight: 10, arbitrary: anyMethod },
  { weight: 5, arbitrary: preflight },
  { weight: 10, arbitrary: otherHost },
  { weight: 30, arbitrary: nonsense },
  { weight: 2, arbitrary: deep },
  { weight: 1, arbitrary: large },
  { weight: 2, arbitrary: manyHeaders },
  { weight: 10, arbitrary: mutated(fc.oneof(wandering, anyMethod, preflight), 'odd and mutated') },
);

function post(kind: string, headers: readonly Header[], body: string): Blueprint {
  return { kind, method: 'POST', path: '/mcp', headers, body };
}
