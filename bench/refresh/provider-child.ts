/**
 * A small authorization server with rotation, and an API that accepts its tokens. It accepts any code, and each refresh
 * token once. It delays every refresh as a network does, so that refreshes overlap. The lifetimes of its tokens decide
 * when they are refreshed.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { answerParent } from '../../test/support/answer-parent.js';
import type { Upstream } from './measurement.js';

const FASTEST_MS = 20;
const SLOWEST_MS = 50;
/** A lifetime without refreshes during the benchmark. */
const LONG_SECONDS = 3600;

const waveSchema = z.array(z.number());

let origin = '';
/** The valid refresh tokens, and the generation of each. */
const good = new Map<string, number>();
/** When the second and the third token set of every login are due for refresh. */
let wavesAtMs: readonly number[] = [];
let refreshing = 0;
const upstream: Upstream = { refreshes: 0, refused: 0, mostAtOnce: 0 };

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => response.destroy(error as Error));
});

answerParent({
  async start() {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // A TCP server that listens has an AddressInfo.
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return origin;
  },
  /** From now on the API refuses the first tokens of every login; their successors are due at the given time. */
  aim(inMs) {
    wavesAtMs = waveSchema.parse(inMs).map((ms) => performance.now() + ms);
  },
  /** Resets the counts. */
  reset() {
    Object.assign(upstream, { refreshes: 0, refused: 0, mostAtOnce: 0 });
  },
  upstream: () => upstream,
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = new URLSearchParams(await text(request));
  const { pathname } = new URL(request.url ?? '/', origin);
  const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
  const [status, content] = await answerTo(pathname, token, body);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
}

async function answerTo(path: string, token: string, form: URLSearchParams): Promise<[number, object]> {
  switch (path) {
    case '/.well-known/openid-configuration':
      return [200, metadata()];
    case '/token':
      return form.get('grant_type') === 'refresh_token' ? refresh(form) : [200, tokens(1)];
    case '/userinfo':
      return [200, { sub: token.slice(-16) }];
    case '/api':
      return [wavesAtMs.length > 0 && token.startsWith('1.') ? 401 : 200, {}];
    default:
      return [path === '/revoke' ? 200 : 404, {}];
  }
}

async function refresh(form: URLSearchParams): Promise<[number, object]> {
  upstream.mostAtOnce = Math.max(upstream.mostAtOnce, ++refreshing);
  await sleep(randomInt(FASTEST_MS, SLOWEST_MS + 1));
  refreshing--;
  const presented = form.get('refresh_token') ?? '';
  const number = good.get(presented);
  if (number === undefined) {
    upstream.refused++;
    return [400, { error: 'invalid_grant' }];
  }
  upstream.refreshes++;
  good.delete(presented);
  return [200, tokens(number + 1)];
}

function tokens(number: number): object {
  const refreshToken = opaque(number);
  good.set(refreshToken, number);
  return {
    token_type: 'Bearer',
    access_token: opaque(number),
    refresh_token: refreshToken,
    expires_in: lifetimeSeconds(number),
  };
}

/** Tokens with a lifetime of less than two minutes are refreshed at half of it. */
function lifetimeSeconds(number: number): number {
  const waveAtMs = wavesAtMs[number - 2];
  return waveAtMs === undefined ? LONG_SECONDS : Math.max((2 * (waveAtMs - performance.now())) / 1000, 1);
}

const opaque = (number: number): string => `${number}.${randomBytes(192).toString('base64url')}`;

function metadata(): object {
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    userinfo_endpoint: `${origin}/userinfo`,
    revocation_endpoint: `${origin}/revoke`,
    code_challenge_methods_supported: ['S256'],
  };
}
