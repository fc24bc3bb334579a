import type { ServerResponse } from 'node:http';
import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { getPath } from 'hono/utils/url';
import { SessionError } from '../errors.js';
import { acceptedAnswers, acceptingByName } from '../http/accept.js';
import { type AdmissionOptions, EndpointAdmission, withoutCredentials } from '../http/admission.js';
import { type BasePath, HEALTH_PATH, MCP_PATH, READY_PATH } from '../http/base-path.js';
import { JsonBodyReader } from '../http/body/json-body.js';
import { refusedBodyResponse } from '../http/body/refused-body.js';
import type { RequestScheduler } from '../http/body/request-scheduler.js';
import { clientKeyOfRequest, type TrustedProxies } from '../http/client-address.js';
import type { DeploymentWarnings } from '../http/deployment-warnings.js';
import type { GuardedRequest } from '../http/guards.js';
import { bodySourceOf, type HttpEnv } from '../http/http-env.js';
import type { RequestsInFlight } from '../http/request-end.js';
import { RequestEnd } from '../http/request-end.js';
import type { UnreadResponseLimit } from '../http/unread-response-limit.js';
import {
  type BackChannelLogoutOptions,
  backChannelLogoutRoutes,
} from '../login/browser/back-channel-logout.js';
import { type LoginRoutesOptions, loginRoutes } from '../login/browser/routes.js';
import { acceptsHtml, showPage } from '../login/browser/show-page.js';
import { errorPage } from '../login/pages/problem-pages.js';
import type { Endpoint } from '../mcp/endpoint.js';
import { ErrorCode, errorResponse, UNEXPECTED_ERROR } from '../mcp/wire/error-response.js';
import { methodOf } from '../mcp/wire/json-rpc.js';

export interface LoginAppOptions extends LoginRoutesOptions {
  readonly unreadResponses: UnreadResponseLimit;
  readonly basePath: BasePath;
  readonly warnings: DeploymentWarnings;
  readonly trustedProxies: TrustedProxies;
}

export interface AppOptions extends LoginAppOptions, AdmissionOptions, BackChannelLogoutOptions {
  readonly endpoint: Endpoint;
  /** The maximum number of array elements and object keys in the arguments of a tool call. */
  readonly argumentElements: number;
  /** Decides which request begins next. */
  readonly scheduler: RequestScheduler;
  readonly requestsInFlight: RequestsInFlight;
  /** Whether the server is closing. */
  readonly isClosing: () => boolean;
  /** Whether the stores can be used. */
  readonly isReady: () => boolean;
}

const REFUSAL_CODES = {
  403: ErrorCode.invalidRequest,
  404: ErrorCode.invalidRequest,
  500: ErrorCode.internal,
  503: ErrorCode.serverBusy,
} as const;
const STORE_RETRY_SECONDS = '1';
/** For a browser. The address stays valid: the request used nothing up, or the page after it says that it did. */
const STORE_UNAVAILABLE =
  'This server cannot look up logins at the moment. Wait a few seconds, then reload this page. If it stays like this, tell the operator of this server.';

const EXPOSED_HEADERS = ['Mcp-Session-Id', 'WWW-Authenticate', 'Retry-After'];

const METHODS = ['GET', 'POST', 'DELETE'];
/** The first revision without standalone streams and protocol sessions, and so without GET and DELETE. */
const POST_ONLY_REVISION = '2026-07-28';

/** The routes of a server over HTTP: the MCP endpoint, its metadata, logins, logout tokens and health checks. */
export function createApp(options: AppOptions): Hono<HttpEnv> {
  const { guards, publicUrl, isClosing, isReady } = options;
  const app = guardedApp(
    options,
    () => `There is nothing here. The MCP endpoint is ${new URL(`.${MCP_PATH}`, publicUrl()).href}.`,
  );

  app.get(HEALTH_PATH, (c) => {
    c.header('cache-control', 'no-store');
    return isClosing() ? c.json({ status: 'draining' }, 503) : c.json({ status: 'ok' });
  });

  app.get(READY_PATH, (c) => {
    c.header('cache-control', 'no-store');
    if (isClosing()) return c.json({ status: 'draining' }, 503);
    return isReady() ? c.json({ status: 'ok' }) : c.json({ status: 'store_unavailable' }, 503);
  });

  const crossOrigin = cors({
    origin: (origin, c) => (guards.allowsOrigin(guardedRequestOf(c)) ? origin : null),
    allowMethods: METHODS,
    exposeHeaders: EXPOSED_HEADERS,
  });
  // Browsers send an `Origin` with every POST, and only they read these headers.
  const isOfBrowser = ({ req: { method, raw } }: Context) => method !== 'POST' || raw.headers.has('origin');
  app.use(MCP_PATH, (c, next) => (isOfBrowser(c) ? crossOrigin(c, next) : next()));
  const admission = new EndpointAdmission(options, MCP_PATH);
  app.all(MCP_PATH, (c) => serveMcp(c, admission, options));
  for (const path of admission.metadataPaths) {
    app.use(path, crossOrigin);
    app.get(path, (c) => c.json(admission.metadata()));
  }
  for (const path of admission.issuerMetadataPaths) {
    app.use(path, crossOrigin);
    app.get(path, () => admission.issuerMetadata());
  }

  app.route('/', loginRoutes(options));
  app.route('/', backChannelLogoutRoutes(options));
  return app;
}

/** The routes of a server over stdio: the pages of logins. */
export function createLoginApp(options: LoginAppOptions): Hono<HttpEnv> {
  const app = guardedApp(options, () => 'There is nothing here but logins.');
  app.route('/', loginRoutes(options));
  return app;
}

/** An app without routes, behind the guards. */
function guardedApp(options: LoginAppOptions, notFoundMessage: () => string): Hono<HttpEnv> {
  const { guards, basePath, browserFlow, publicUrl, trustedProxies } = options;
  const { unreadResponses, warnings, brand, onError } = options;
  const app = new Hono<HttpEnv>({
    getPath: (request, { env } = {}) => basePath.routeOf(getPath(request), env?.incoming),
  });

  /** Answers with a page if the client accepts one, else with a JSON-RPC error. */
  const refuse = async (c: Context<HttpEnv>, status: 403 | 404 | 500 | 503, message: string) => {
    const code = REFUSAL_CODES[status];
    const headers = { vary: 'Accept', ...(status === 503 && { 'retry-after': STORE_RETRY_SECONDS }) };
    if (c.req.path === MCP_PATH || !acceptsHtml(c)) return errorResponse(status, code, message, { headers });
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    return showPage(c, await errorPage(brand, status, message));
  };

  app.use(async (c, next) => {
    const { outgoing, handedOn } = nodeSideOf(c);
    if (handedOn) {
      setOrigin(c, handedOn);
      if (outgoing) unreadResponses.watch(outgoing, handedOn.clientKey, handedOn.end);
      return handedOn.answer ?? next();
    }
    const request = guardedRequestOf(c);
    // Health checks may use any host name.
    const isHealthCheck =
      [HEALTH_PATH, READY_PATH].includes(c.req.path) && ['GET', 'HEAD'].includes(c.req.method);
    if (!isHealthCheck && !guards.allowsHost(request)) {
      warnings.refusedHost(request);
      return refuse(c, 403, 'This server does not accept that host name. Use its public URL.');
    }
    // The page of a provider posts its response. The GET request that follows is checked like every other.
    const isFormPost = c.req.method === 'POST' && browserFlow.formFields.has(c.req.path);
    if (!isFormPost && !guards.allowsOrigin(request)) {
      warnings.refusedOrigin(request.headers.get('origin') ?? '');
      return refuse(c, 403, 'This server does not accept requests from pages of that origin.');
    }
    const mount = basePath.wrongMountOf(c.req.raw, request.incoming);
    if (mount !== undefined) throw wrongMount(mount, publicUrl());
    warnings.inspect(request);
    const end = new RequestEnd(outgoing);
    const origin = guards.requestOrigin(request);
    const clientKey = origin === 'local' ? undefined : clientKeyOfRequest(request, trustedProxies);
    setOrigin(c, { end, origin, clientKey });
    if (outgoing) unreadResponses.watch(outgoing, clientKey, end);
    return next();
  });

  app.notFound((c) => refuse(c, 404, notFoundMessage()));
  app.onError((error, c) => {
    onError(error);
    if (error instanceof SessionError && error.code === 'store_unavailable')
      return refuse(c, 503, STORE_UNAVAILABLE);
    const isConfiguration = error instanceof SessionError && error.code === 'configuration';
    return refuse(c, 500, isConfiguration ? error.message : UNEXPECTED_ERROR);
  });
  return app;
}

function nodeSideOf({ env }: Context<HttpEnv>) {
  // The server of HTTP/1 is the only one that the Node adapter runs in.
  return { outgoing: env?.outgoing as ServerResponse | undefined, handedOn: env?.handedOn };
}

function setOrigin(c: Context<HttpEnv>, { end, origin, clientKey }: HttpEnv['Variables']): void {
  c.set('end', end);
  c.set('origin', origin);
  c.set('clientKey', clientKey);
}

function guardedRequestOf(c: Context<HttpEnv>): GuardedRequest {
  return { url: c.req.url, headers: c.req.raw.headers, incoming: c.env?.incoming };
}

function wrongMount(mount: string, publicUrl: URL): SessionError {
  const mounted = mount === '' ? 'at the root' : `at ${mount}`;
  const expected = publicUrl.pathname === '/' ? 'at the root' : `at ${publicUrl.pathname.slice(0, -1)}`;
  return new SessionError(
    'configuration',
    `mcp-sessions is mounted ${mounted}, but its \`publicUrl\` is ${publicUrl.href}, so its links would not work. Mount it ${expected}, or set \`publicUrl\` to ${new URL(mount || '/', publicUrl).href}.`,
  );
}

async function serveMcp(
  c: Context<HttpEnv>,
  admission: EndpointAdmission,
  options: AppOptions,
): Promise<Response> {
  const {
    endpoint,
    bodyMemory: memory,
    scheduler,
    argumentElements,
    unreadResponses,
    requestsInFlight,
  } = options;
  const request = c.req.raw;
  const isPost = request.method === 'POST';
  const methods = request.headers.get('mcp-protocol-version') === POST_ONLY_REVISION ? ['POST'] : METHODS;
  if (!methods.includes(request.method)) return methodNotAllowed(methods);
  const [origin, clientKey, end] = [c.get('origin'), c.get('clientKey'), c.get('end')];
  const { handedOn } = nodeSideOf(c);
  const limits = { memory, scheduler, argumentElements };
  const reader = handedOn?.reader ?? new JsonBodyReader(bodySourceOf(c), limits);
  // A body may be refused while the access token is being verified.
  const refused = reader.refused().then((refusal) => refusedBodyResponse(refusal, argumentElements));
  const admitted = await Promise.race([
    admission.admit(request, { origin, clientKey }, handedOn?.admission),
    refused,
  ]);
  if (admitted instanceof Response) {
    reader.cancel();
    return admitted;
  }
  const accepted = acceptedAnswers(request.headers.get('accept'));
  if (accepted.length === 0 && request.method !== 'DELETE') {
    reader.cancel();
    return errorResponse(406, ErrorCode.invalidRequest, NOT_ACCEPTABLE);
  }
  const body = isPost ? await reader.read() : NO_BODY;
  if (body.kind !== 'json') return refusedBodyResponse(body.kind, argumentElements);
  const { principal } = admitted;
  const outgoing = c.env?.outgoing;
  const closeConnection = outgoing && (() => void outgoing.destroy());
  const answer = () =>
    endpoint.handle({
      request: acceptingByName(principal ? withoutCredentials(request) : request, accepted),
      body: body.value,
      origin,
      clientKey,
      principal,
      closeConnection,
      countUnread: unreadResponses.counterFor(clientKey),
    });
  if (!isPost || methodOf(body.value) === 'subscriptions/listen') return answer();
  if (handedOn?.isCounted) return end.follow(answer());
  const reservation = memory.reserve(clientKey, body.bytes, () => closeConnection?.());
  end.onEnd(() => reservation.release());
  requestsInFlight.add(end);
  return end.follow(answer());
}

const NOT_ACCEPTABLE =
  'The endpoint answers with application/json or text/event-stream. Name both in the `Accept` header, or omit the header.';

const NO_BODY = { kind: 'json', value: undefined, bytes: 0 } as const;

function methodNotAllowed(methods: readonly string[]): Response {
  const allow = methods.join(', ');
  const message = `The MCP endpoint does not serve that method here. Use ${allow}.`;
  return errorResponse(405, ErrorCode.invalidRequest, message, { headers: { allow } });
}
