// dependency-cruiser 17 (the last for Node 20) reads TypeScript through an API that TypeScript 7 no longer
// has. Without TypeScript 6 under the name `typescript` it would find no imports and so no violations.
const { version } = require('typescript');
if (!version.startsWith('6.')) throw new Error(`dependency-cruiser needs TypeScript 6, found ${version}.`);

/**
 * The rooms of the library and who may know whom. A room may import itself and the rooms named beside
 * it, type-only imports included. Rooms of one step do not know each other.
 */
const foundation = ['errors', 'time', 'loopback', 'collected-bytes', 'bounded-text', 'promises'];
const counting = [...foundation, 'limits'];
const upToAccount = [...counting, 'vault', 'session', 'account'];
const upToLogin = [...upToAccount, 'provider', 'refresh', 'login'];
const upToHttp = [...upToLogin, 'access', 'mcp', 'http'];

const rooms = {
  errors: [],
  promises: [],
  time: [],
  loopback: [],
  'collected-bytes': [],
  'bounded-text': ['collected-bytes'],
  limits: foundation,
  vault: foundation,
  session: [...counting, 'vault'],
  account: [...counting, 'vault', 'session'],
  provider: upToAccount,
  refresh: [...upToAccount, 'provider'],
  login: [...upToAccount, 'provider'],
  access: [...counting, 'vault', 'session'],
  assembly: [...upToAccount, 'refresh'],
  mcp: [...upToLogin, 'access'],
  http: [...upToLogin, 'access', 'mcp'],
  store: [...foundation, 'vault', 'session'],
  observe: [...foundation, 'vault', 'session'],
  'node-options': [],
  'debugging-gate': [...foundation, 'node-options'],
  serving: foundation,
  'serving-rules': [...foundation, 'access'],
  'create-access': [...counting, 'vault', 'session', 'access', 'provider', 'http'],
  'sessions-options': [...upToHttp, 'store'],
  'sessions-settings': [...upToHttp, 'sessions-options', 'serving-rules'],
  sessions: [...upToHttp, 'sessions-options'],
  'create-sessions': [
    ...upToHttp,
    'store',
    'observe',
    'assembly',
    'create-access',
    'debugging-gate',
    'serving',
    'serving-rules',
    'sessions',
    'sessions-options',
    'sessions-settings',
  ],
  testing: [...upToHttp, 'store', 'observe', 'assembly', 'sessions-options', 'sessions', 'create-sessions'],
  index: [...upToHttp, 'store', 'observe', 'sessions-options', 'sessions', 'create-sessions'],
};

const library = '^packages/sessions/src/';
const server = '^packages/server/src/';
const tests = '[.]test[.]ts$';

/** A room is a folder or a single file: `vault/…`, `errors.ts`. */
const inRooms = (names) => `${library}(${names.join('|')})(/|[.]ts$)`;
const npm = (...names) => `node_modules/(@types/)?(${names.join('|')})/`;

const importDirection = Object.entries(rooms).map(([room, known]) => ({
  name: `direction-${room}`,
  comment: `${room} may import only: ${known.join(', ') || 'nothing else of the library'}.`,
  severity: 'error',
  from: { path: inRooms([room]), pathNot: tests },
  to: { path: library, pathNot: inRooms([room, ...known]) },
}));

/** `package` may be imported only from `homes` (whole room names). */
const onlyIn = (name, packages, homes) => ({
  name,
  severity: 'error',
  from: { path: '^packages/[^/]+/src/', pathNot: [tests, ...homes] },
  to: { path: npm(...packages) },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...importDirection,
    {
      name: 'unknown-room',
      comment: 'Give a new folder its place in the import direction: list it in `rooms`.',
      severity: 'error',
      from: { path: library, pathNot: [tests, inRooms(Object.keys(rooms))] },
      to: {},
    },
    {
      name: 'ports-and-events-only',
      comment: 'store and observe know of session only its store port, its types and its events.',
      severity: 'error',
      from: { path: inRooms(['store', 'observe']), pathNot: tests },
      to: {
        path: inRooms(['session']),
        pathNot: `${library}session/(session-(store|record|events)|ids)[.]ts$`,
      },
    },
    {
      name: 'vault-types-only',
      comment: 'store and observe may name what the vault seals; they never open it.',
      severity: 'error',
      from: { path: inRooms(['store', 'observe']), pathNot: tests },
      to: { path: inRooms(['vault']), dependencyTypesNot: ['type-only'] },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    onlyIn('openid-client-in-provider', ['openid-client', 'oauth4webapi'], [inRooms(['provider'])]),
    onlyIn('jose-in-access', ['jose'], [inRooms(['access']), `${server}sample/`]),
    {
      name: 'mcp-sdk-in-mcp',
      severity: 'error',
      from: { path: library, pathNot: [tests, inRooms(['mcp'])] },
      to: { path: npm('@modelcontextprotocol') },
    },
    {
      name: 'hono-in-http-and-login',
      severity: 'error',
      from: { path: library, pathNot: [tests, inRooms(['http', 'login'])] },
      to: { path: npm('hono', '@hono') },
    },
    {
      name: 'login-renders-only',
      comment: 'Login pages render with hono/html; routing belongs to http.',
      severity: 'error',
      from: { path: inRooms(['login']), pathNot: tests },
      to: { path: npm('hono', '@hono'), pathNot: 'node_modules/hono/dist/(types/|cjs/)?helper/html/' },
    },
    onlyIn('oidc-provider-in-sample', ['oidc-provider'], [`${server}sample/`]),
    {
      name: 'server-uses-public-names',
      comment: "packages/server imports the library as any user does: from 'mcp-sessions'.",
      severity: 'error',
      from: { path: '^packages/server/', pathNot: tests },
      to: {
        path: '^packages/sessions/',
        pathNot: '^packages/sessions/dist/(index|testing/index)[.](d[.]ts|js)$',
      },
    },
    {
      name: 'server-not-by-path',
      severity: 'error',
      from: { path: '^packages/server/', pathNot: tests },
      to: { path: '^packages/sessions/', dependencyTypes: ['local'] },
    },
    {
      name: 'library-knows-no-server',
      severity: 'error',
      from: { path: '^packages/sessions/' },
      to: { path: '^packages/server/' },
    },
    {
      name: 'source-knows-no-tests',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: tests },
      to: { path: [tests, '^test/'] },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^packages/[^/]+/src/', pathNot: tests },
      to: {},
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'declared-dependencies',
      comment: 'What ships may import only what its own package.json lists under dependencies.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: tests },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only'],
      },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    doNotFollow: { path: ['node_modules', '(^|/)dist/'] },
    exclude: { path: ['^test/.*/dist/', '^test-results/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default'],
      extensions: ['.ts', '.d.ts', '.js', '.json'],
    },
    skipAnalysisNotInRules: false,
  },
};
