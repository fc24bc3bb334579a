// dependency-cruiser 17 (the last for Node 20) reads TypeScript through an API that TypeScript 7 no longer
// has. Without TypeScript 6 under the name `typescript` it would find no imports and so no violations.
const { version } = require('typescript');
if (!version.startsWith('6.')) throw new Error(`dependency-cruiser needs TypeScript 6, found ${version}.`);

/**
 * The modules of the library and what each may import: itself and the modules listed beside it, type-only imports
 * included. A module is a folder or a single file. The modules below `mcp/` are listed one by one.
 */
const foundation = ['errors', 'omit-undefined', 'parse-options', 'secure-url', 'telemetry', 'time'];
const counting = [...foundation, 'limits'];
const upToSession = [...counting, 'vault', 'session'];
const upToAccount = [...upToSession, 'account'];
const upToHttp = [...upToSession, 'access', 'mcp/wire', 'http'];
const upToLogin = [...upToHttp, 'account', 'provider', 'login'];
const upToServer = [...upToLogin, 'mcp/request', 'mcp/tools', 'mcp/server'];
const upToMcp = [...upToServer, 'mcp/plain-tools', 'mcp/era-2025', 'mcp/era-2026', 'mcp'];

const modules = {
  errors: [],
  'omit-undefined': [],
  'parse-options': ['errors'],
  'secure-url': [],
  telemetry: ['time'],
  time: [],
  limits: foundation,
  vault: foundation,
  session: [...counting, 'vault'],
  account: upToSession,
  provider: upToAccount,
  presets: ['errors', 'omit-undefined', 'provider'],
  access: upToSession,
  'mcp/wire': foundation,
  http: [...upToSession, 'access', 'mcp/wire'],
  login: [...upToHttp, 'account', 'provider'],
  'mcp/request': upToLogin,
  'mcp/tools': [...upToLogin, 'mcp/request'],
  'mcp/server': [...upToLogin, 'mcp/request', 'mcp/tools'],
  'mcp/plain-tools': upToServer,
  'mcp/era-2025': [...upToServer, 'mcp/plain-tools'],
  'mcp/era-2026': [...upToServer, 'mcp/plain-tools'],
  mcp: [...upToServer, 'mcp/plain-tools', 'mcp/era-2025', 'mcp/era-2026'],
  store: [...upToSession, 'login'],
  observe: upToSession,
  server: [...upToMcp, 'store', 'observe'],
  testing: ['parse-options', 'time', 'vault', 'provider', 'server'],
  index: [...upToMcp, 'observe', 'server'],
};

const library = '^packages/sessions/src/';
const server = '^packages/server/src/';
const tests = '[.]test[.]ts$';

/** A module is a folder or a single file: `vault/…`, `errors.ts`. Only the files directly in `mcp/` belong to `mcp`. */
const inModules = (names) =>
  `${library}(${names.map((name) => (name === 'mcp' ? 'mcp/[^/]+$' : `${name}(/|[.]ts$)`)).join('|')})`;
const npm = (...names) => `node_modules/(@types/)?(${names.join('|')})/`;

const importDirection = Object.entries(modules).map(([module, known]) => ({
  name: `direction-${module}`,
  comment: `${module} may import only: ${known.join(', ') || 'nothing else of the library'}.`,
  severity: 'error',
  from: { path: inModules([module]), pathNot: tests },
  to: { path: library, pathNot: inModules([module, ...known]) },
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
      name: 'unlisted-module',
      comment: 'List a new folder in `modules`, with what it may import.',
      severity: 'error',
      from: { path: library, pathNot: [tests, inModules(Object.keys(modules))] },
      to: {},
    },
    {
      name: 'ports-and-events-only',
      comment:
        'store and observe know of session only its store port, its types, its events, and the failures of providers.',
      severity: 'error',
      from: { path: inModules(['store', 'observe']), pathNot: tests },
      to: {
        path: inModules(['session']),
        pathNot: `${library}session/(session-(store|record|index|events)|provider-failures|ids|messages)[.]ts$`,
      },
    },
    {
      name: 'login-port-only',
      comment: 'store knows of login only its ports and records.',
      severity: 'error',
      from: { path: inModules(['store']), pathNot: tests },
      to: {
        path: inModules(['login']),
        pathNot: `${library}login/attempt-(store|record)[.]ts$`,
      },
    },
    {
      name: 'vault-types-only',
      comment:
        'store and observe may name what the vault seals, and keep it in memory for secrets; they never open it. What leaves the process is sealed: store/redis.',
      severity: 'error',
      from: { path: inModules(['store', 'observe']), pathNot: [tests, `${library}store/redis/`] },
      to: {
        path: inModules(['vault']),
        pathNot: `${library}vault/memory[.]ts$`,
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'refresh-below-account',
      comment: 'account uses account/refresh, never the other way.',
      severity: 'error',
      from: { path: `${library}account/refresh/`, pathNot: tests },
      to: { path: `${library}account/[^/]+$` },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    onlyIn('openid-client-in-provider', ['openid-client', 'oauth4webapi'], [inModules(['provider'])]),
    onlyIn('ioredis-in-store-redis', ['ioredis'], [`${library}store/redis/`]),
    {
      name: 'engine-on-demand',
      comment:
        'Only the entry `mcp-sessions/redis` leads to store/redis, so that nothing of an engine is loaded without one.',
      severity: 'error',
      from: { path: '^packages/', pathNot: [tests, `${library}store/redis/`] },
      to: { path: `${library}store/redis/` },
    },
    onlyIn(
      'opentelemetry-in-telemetry',
      ['@opentelemetry'],
      [inModules(['telemetry', 'observe']), `${server}metrics/`],
    ),
    onlyIn('undici-in-server', ['undici'], [inModules(['server'])]),
    onlyIn('jose-in-access', ['jose'], [inModules(['access']), `${server}sample/`]),
    {
      name: 'mcp-sdk-in-mcp',
      severity: 'error',
      from: { path: library, pathNot: [tests, `${library}mcp/`] },
      to: { path: npm('@modelcontextprotocol') },
    },
    {
      name: 'sdk-methods-in-sdk-adapter',
      comment: 'Methods of the SDK are replaced in mcp/server/sdk-adapter only.',
      severity: 'error',
      from: { pathNot: `${library}mcp/server/sdk-adapter/` },
      to: { path: `${library}mcp/server/sdk-adapter/server-methods[.]ts$` },
    },
    {
      name: 'hono-in-http-login-and-server',
      severity: 'error',
      from: { path: library, pathNot: [tests, inModules(['http', 'login', 'server'])] },
      to: { path: npm('hono', '@hono') },
    },
    {
      name: 'login-renders-only',
      comment: 'Outside of login/browser, login uses hono/html only, for its pages.',
      severity: 'error',
      from: { path: inModules(['login']), pathNot: [tests, `${library}login/browser/`] },
      to: { path: npm('hono', '@hono'), pathNot: 'node_modules/hono/dist/(types/|cjs/)?helper/html/' },
    },
    onlyIn('oidc-provider-in-sample', ['oidc-provider'], [`${server}sample/`]),
    {
      name: 'server-uses-public-names',
      comment:
        "packages/server imports the library as any user does: from 'mcp-sessions', 'mcp-sessions/providers' and 'mcp-sessions/redis'.",
      severity: 'error',
      from: { path: '^packages/server/', pathNot: tests },
      to: {
        path: '^packages/sessions/',
        pathNot:
          '^packages/sessions/dist/(index|presets/index|store/redis/index|testing/index)[.](d[.]ts|js)$',
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
      to: { path: [tests, '^(test|bench)/'] },
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
      comment:
        'What ships may import only what its own package.json lists under dependencies. ioredis is an optional peer.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: tests },
      to: {
        pathNot: npm('ioredis'),
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
