import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { SessionError } from '../errors.js';
import type { Endpoint } from '../mcp/endpoint.js';
import { ErrorCode, errorResponse } from '../mcp/protocol-error.js';
import type { Guards } from './guards.js';
import type { HttpEnv } from './http-env.js';
import { MAX_JSON_DEPTH } from './http-limits.js';
import { type JsonBody, readJsonBody } from './json-body.js';
import { type LoginRoutesOptions, loginRoutes } from './login-routes.js';

export interface AppOptions extends LoginRoutesOptions {
  readonly endpoint: Endpoint;
  readonly guards: Guards;
  readonly onError: (error: unknown) => void;
}

/** The path of the MCP endpoint. */
export const MCP_PATH = '/mcp';

const EXPOSED_HEADERS = ['Mcp-Session-Id', 'WWW-Authenticate'];

/** Every route of the server, behind the guards. */
export function createApp(options: AppOptions): Hono<HttpEnv> {
  const { guards, endpoint, onError } = options;
  const app = new Hono<HttpEnv>();

  app.use(async (c, next) => {
    const request = { url: c.req.url, headers: c.req.raw.headers, incoming: c.env?.incoming };
    if (!guards.allowsHost(request)) {
      return errorResponse(
        403,
        ErrorCode.invalidRequest,
        'This server is not reached under that host name. Use its public URL.',
      );
    }
    if (!guards.allowsOrigin(c.req.header('origin'))) {
      return errorResponse(403, ErrorCode.invalidRequest, 'Pages of that origin may not call this server.');
    }
    c.set('isLoopback', guards.isLoopback(request));
    return next();
  });

  app.get('/healthz', (c) => c.json({ status: 'ok' }));

  app.use(
    MCP_PATH,
    cors({
      origin: (origin) => (guards.allowsOrigin(origin) ? origin : null),
      allowMethods: ['GET', 'POST', 'DELETE'],
      exposeHeaders: EXPOSED_HEADERS,
    }),
  );
  app.all(MCP_PATH, (c) => serveMcp(c, endpoint));

  app.route('/', loginRoutes(options));

  app.notFound(() =>
    errorResponse(404, ErrorCode.invalidRequest, `There is nothing here. The MCP endpoint is ${MCP_PATH}.`),
  );
  app.onError((error) => {
    onError(error);
    if (error instanceof SessionError && error.code === 'configuration') {
      return errorResponse(500, ErrorCode.internal, error.message);
    }
    return errorResponse(
      500,
      ErrorCode.internal,
      'The server made a mistake. Try again; if it stays so, tell its operator.',
    );
  });
  return app;
}

async function serveMcp(c: Context<HttpEnv>, endpoint: Endpoint): Promise<Response> {
  const request = c.req.raw;
  const isLoopback = c.get('isLoopback');
  if (request.method !== 'POST') return endpoint.handle({ request, body: undefined, isLoopback });
  const body = await readJsonBody(request);
  return body.kind === 'json'
    ? endpoint.handle({ request, body: body.value, isLoopback })
    : unreadable(body.kind);
}

function unreadable(kind: Exclude<JsonBody['kind'], 'json'>): Response {
  switch (kind) {
    case 'wrong-type':
      return errorResponse(415, ErrorCode.invalidRequest, 'Send the request as application/json.');
    case 'too-large':
      return errorResponse(413, ErrorCode.invalidRequest, 'The request is larger than 1 MiB.');
    case 'malformed':
      return errorResponse(400, ErrorCode.parse, 'Parse error: the body is not JSON.');
    case 'too-deep':
      return errorResponse(
        400,
        ErrorCode.invalidRequest,
        `The JSON is nested deeper than ${MAX_JSON_DEPTH} levels.`,
      );
  }
}
