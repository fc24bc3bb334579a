import type { ServerResponse } from 'node:http';
import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { SessionError } from '../errors.js';
import { acceptedAnswers, acceptingByName } from '../http/accept.js';
import { AdmissionDoor, type AdmissionOptions, withoutCredentials } from '../http/admission.js';
import { type BasePath, HEALTH_PATH } from '../http/base-path.js';
import {
  type JsonBody,
  type JsonBodyLimits,
  kindOf,
  readJsonBody,
  receivedJsonEarly,
} from '../http/body/json-body.js';
import type { RequestScheduler } from '../http/body/request-scheduler.js';
import { clientOf } from '../http/client-address.js';
import type { DeploymentWarnings } from '../http/deployment-warnings.js';
import type { GuardedRequest } from '../http/guards.js';
import { bodySourceOf, type HttpEnv } from '../http/http-env.js';
import { MAX_JSON_DEPTH, MAX_JSON_ELEMENTS } from '../http/http-limits.js';
import type { RequestsInFlight } from '../http/requests-in-flight.js';
import type { TrustedProxies } from '../http/trusted-proxies.js';
import type { UnreadResponseLimit } from '../http/unread-response-limit.js';
import { type LoginRoutesOptions, loginRoutes } from '../login/browser/routes.js';
import { acceptsHtml, showPage } from '../login/browser/show-page.js';
import { errorPage } from '../login/pages/problem-pages.js';
import type { Endpoint } from '../mcp/endpoint.js';
import { ErrorCode, errorResponse } from '../mcp/wire/error-response.js';
import { methodOf } from '../mcp/wire/json-rpc.js';

export interface LoginAppOptions extends LoginRoutesOptions {
  readonly unreadResponses: UnreadResponseLimit;
  readonly basePath: BasePath;
  readonly warnings: DeploymentWarnings;
  readonly trustedProxies: TrustedProxies;
}

export interface AppOptions extends LoginAppOptions, AdmissionOptions {
  readonly endpoint: Endpoint;
  /** The maximum number of array elements and object keys in the arguments of a tool call. */
  readonly argumentElements: number;
  /** Decides which request begins next. */
  readonly scheduler: RequestScheduler;
  readonly requestsInFlight: RequestsInFlight;
  /** Whether the server is closing. */
  readonly isClosing: () => boolean;
}

/** The path of the MCP endpoint, below the public URL. */
export const MCP_PATH = '/mcp';

const EXPOSED_HEADERS = ['Mcp-Session-Id', 'WWW-Authenticate', 'Retry-After'];

const METHODS = ['GET', 'POST', 'DELETE'];
/** The first revision with neither streams to open nor sessions to end: it knows nothing but POST. */
const POST_ONLY_REVISION = '2026-07-28';

/** Every route of a server whose clients come over HTTP. */
export function createApp(options: AppOptions): Hono<HttpEnv> {
  const {
    guards,
    endpoint,
    bodyMemory: room,
    scheduler: turns,
    argumentElements,
    unreadResponses: unreadAnswers,
    requestsInFlight: calls,
    publicUrl,
    isClosing,
  } = options;
  const app = guardedApp(
    options,
    () => `There is nothing here. The MCP endpoint is ${new URL(`.${MCP_PATH}`, publicUrl()).href}.`,
  );

  app.get(HEALTH_PATH, (c) => {
    c.header('cache-control', 'no-store');
    return isClosing() ? c.json({ status: 'draining' }, 503) : c.json({ status: 'ok' });
  });

  const crossOrigin = cors({
    origin: (origin, c) => (guards.allowsOrigin(guardedRequestOf(c)) ? origin : null),
    allowMethods: METHODS,
    exposeHeaders: EXPOSED_HEADERS,
  });
  app.use(MCP_PATH, crossOrigin);
  const door = new AdmissionDoor(options, MCP_PATH);
  app.all(MCP_PATH, (c) =>
    serveMcp(c, door, endpoint, { room, turns, argumentElements, unreadAnswers, calls }),
  );
  for (const path of door.metadataPaths) {
    app.use(path, crossOrigin);
    app.get(path, (c) => c.json(door.metadata()));
  }
  for (const path of door.issuerMetadataPaths) {
    app.use(path, crossOrigin);
    app.get(path, () => door.issuerMetadata());
  }

  app.route('/', loginRoutes(options));
  return app;
}

/** The routes of a server whose client does not come over HTTP: what its user's browser needs to log in. */
export function createLoginApp(options: LoginAppOptions): Hono<HttpEnv> {
  const app = guardedApp(options, () => 'There is nothing here but logins.');
  app.route('/', loginRoutes(options));
  return app;
}

/** An app without routes, behind the guards. */
function guardedApp(
  {
    guards,
    basePath,
    publicUrl,
    trustedProxies,
    unreadResponses: unreadAnswers,
    warnings,
    brand,
    onError,
  }: LoginAppOptions,
  nothingHere: () => string,
): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>({
    getPath: (request, { env } = {}) => basePath.routeOf(request, env?.incoming),
  });

  /** Says why there is nothing else to answer: to people as a page, to programs as JSON-RPC. */
  const refuse = async (c: Context<HttpEnv>, status: 403 | 404 | 500, message: string) => {
    const code = status === 500 ? ErrorCode.internal : ErrorCode.invalidRequest;
    const headers = { vary: 'Accept' };
    if (c.req.path === MCP_PATH || !acceptsHtml(c)) return errorResponse(status, code, message, { headers });
    c.header('vary', headers.vary);
    return showPage(c, await errorPage(brand, status, message));
  };

  app.use(async (c, next) => {
    const request = guardedRequestOf(c);
    // Health checks may use any host name.
    const isHealthCheck = c.req.path === HEALTH_PATH && ['GET', 'HEAD'].includes(c.req.method);
    if (!isHealthCheck && !guards.allowsHost(request)) {
      warnings.refusedHost(request);
      return refuse(c, 403, 'This server is not reached under that host name. Use its public URL.');
    }
    if (!guards.allowsOrigin(request)) {
      warnings.refusedOrigin(request.headers.get('origin') ?? '');
      return refuse(c, 403, 'Pages of that origin may not call this server.');
    }
    const mount = basePath.wrongMountOf(c.req.raw, request.incoming);
    if (mount !== undefined) throw wrongMount(mount, publicUrl());
    warnings.inspect(request);
    const origin = guards.requestOrigin(request);
    const isLocal = origin === 'local';
    c.set('origin', origin);
    c.set('clientKey', isLocal ? undefined : clientOf(request.headers, request.incoming, trustedProxies));
    if (c.env?.outgoing) unreadAnswers.watch(c.env.outgoing as ServerResponse, c.get('clientKey'));
    return next();
  });

  app.notFound((c) => refuse(c, 404, nothingHere()));
  app.onError((error, c) => {
    onError(error);
    const isConfiguration = error instanceof SessionError && error.code === 'configuration';
    return refuse(
      c,
      500,
      isConfiguration
        ? error.message
        : 'The server made a mistake. Try again; if it stays so, tell its operator.',
    );
  });
  return app;
}

function guardedRequestOf(c: Context<HttpEnv>): GuardedRequest {
  return { url: c.req.url, headers: c.req.raw.headers, incoming: c.env?.incoming };
}

function wrongMount(mount: string, publicUrl: URL): SessionError {
  const shown = mount === '' ? 'at the root' : `at ${mount}`;
  return new SessionError(
    'configuration',
    `mcp-sessions is mounted ${shown}, but its \`publicUrl\` is ${publicUrl.href}, so its links would not work. Mount it ${publicUrl.pathname === '/' ? 'at the root' : `at ${publicUrl.pathname.slice(0, -1)}`}, or set \`publicUrl\` to ${new URL(mount || '/', publicUrl).href}.`,
  );
}

interface McpRouteOptions extends JsonBodyLimits {
  readonly calls: RequestsInFlight;
  readonly unreadAnswers: UnreadResponseLimit;
}

async function serveMcp(
  c: Context<HttpEnv>,
  door: AdmissionDoor,
  endpoint: Endpoint,
  { calls, unreadAnswers, ...limits }: McpRouteOptions,
): Promise<Response> {
  const request = c.req.raw;
  const methods = methodsFor(request.headers.get('mcp-protocol-version'));
  if (!methods.includes(request.method)) return notAllowed(methods);
  const [origin, clientKey] = [c.get('origin'), c.get('clientKey')];
  const source = receivedJsonEarly(bodySourceOf(c), limits);
  const entering = door.enter(request, { origin, clientKey });
  // What came of a body that is refused is held until there is an answer.
  const refusing = source.early?.refused().then((refusal) => unreadable(kindOf(refusal), limits));
  const entered = await (refusing ? Promise.race([entering, refusing]) : entering);
  if (entered instanceof Response) {
    source.early?.abandon();
    return entered;
  }
  const accepted = acceptedAnswers(request.headers.get('accept'));
  if (accepted.length === 0 && request.method !== 'DELETE') {
    source.early?.abandon();
    return errorResponse(406, ErrorCode.invalidRequest, NOT_ACCEPTABLE);
  }
  const { principal } = entered;
  const outgoing = c.env?.outgoing;
  const closeConnection = outgoing && (() => void outgoing.destroy());
  const countUnread = unreadAnswers.counterFor(clientKey);
  const body = request.method === 'POST' ? await readJsonBody(source, limits) : NO_BODY;
  if (body.kind !== 'json') return unreadable(body.kind, limits);
  const served = acceptingByName(principal ? withoutCredentials(request) : request, accepted);
  const incoming = {
    request: served,
    body: body.value,
    origin,
    clientKey,
    principal,
    closeConnection,
    countUnread,
  };
  const isCall = request.method === 'POST' && methodOf(body.value) !== 'subscriptions/listen';
  if (!isCall) return endpoint.handle(incoming);
  const held = limits.room.hold(clientKey, body.bytes, () => closeConnection?.());
  const answering = endpoint.handle(incoming);
  if (outgoing && !outgoing.destroyed) outgoing.once('close', held.release);
  else void answering.then(held.release);
  return calls.track(answering, outgoing);
}

const NOT_ACCEPTABLE =
  'The endpoint answers with application/json or text/event-stream. Name both in the `Accept` header, or omit the header.';

const NO_BODY = { kind: 'json', value: undefined, bytes: 0 } as const;

function methodsFor(revision: string | null): readonly string[] {
  return revision === POST_ONLY_REVISION ? ['POST'] : METHODS;
}

function notAllowed(methods: readonly string[]): Response {
  const allow = methods.join(', ');
  const message = `The MCP endpoint does not serve that method here. Use ${allow}.`;
  return errorResponse(405, ErrorCode.invalidRequest, message, { headers: { allow } });
}

function unreadable(kind: Exclude<JsonBody['kind'], 'json'>, { argumentElements }: JsonBodyLimits): Response {
  switch (kind) {
    case 'wrong-type':
      return errorResponse(415, ErrorCode.invalidRequest, 'Send the request as application/json.');
    case 'too-large':
      return errorResponse(413, ErrorCode.invalidRequest, 'The request is larger than 1 MiB.');
    case 'too-many-pieces':
      return errorResponse(
        400,
        ErrorCode.invalidRequest,
        'The request came in too many small pieces. Send it in larger ones.',
      );
    case 'no-room':
      return errorResponse(
        503,
        ErrorCode.serverBusy,
        'Too much is being sent to this server at the same time. Try again in a moment.',
        { headers: { 'retry-after': '1' } },
      );
    case 'malformed':
      return errorResponse(400, ErrorCode.parse, 'Parse error: the body is not JSON.');
    case 'too-deep':
      return errorResponse(
        400,
        ErrorCode.invalidRequest,
        `The JSON is nested deeper than ${MAX_JSON_DEPTH} levels.`,
      );
    case 'too-long-string':
      return errorResponse(
        400,
        ErrorCode.invalidRequest,
        'The request contains a string of more than 64 KiB. Only strings in tool arguments and results may be longer.',
      );
    case 'too-many-elements':
      return errorResponse(
        400,
        ErrorCode.invalidRequest,
        `The JSON has too many array elements and object keys. The arguments of a tool call may have ${inWords(argumentElements)}, the rest of the request ${inWords(MAX_JSON_ELEMENTS)}. Split the request.`,
      );
  }
}

function inWords(count: number): string {
  return count.toLocaleString('en');
}
