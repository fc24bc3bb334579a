/**
 * An OAuth authorization server that accepts every user name, and the notes of its users. A code is the name of
 * its user. Each token and each first note contains the name of its user.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { answerParent } from '../support/answer-parent.js';
import { BY_CODE, TOKEN_PREFIX } from './canaries.js';
import { DeviceCodes } from './device-codes.js';
import { TokenMint } from './token-mint.js';

/** Long enough that no token is refreshed. */
const EXPIRES_IN_SECONDS = 30 * 24 * 60 * 60;
/** The first note and the last notes are kept. */
const MAX_NOTES = 4;
const MAX_CHARACTERS = 200;

const startSchema = z.object({ seed: z.number() });
const noteSchema = z.object({ text: z.string() });

interface Reply {
  readonly status: number;
  readonly content: object;
}

const tokensSchema = z.object({
  members: z.array(z.string()),
  guests: z.array(z.string()),
  audience: z.string(),
});

let origin = '';
/** The issuer of the access tokens of clients, different from the provider of logins. */
let mint = new TokenMint('');
let deviceCodes = new DeviceCodes(0);
const notesByUser = new Map<string, string[]>();

const server = createServer(async (request, response) => {
  const body = await text(request);
  const url = new URL(request.url ?? '/', origin);
  if (url.pathname === '/authorize') {
    if (body === '')
      response.writeHead(200, { 'content-type': 'text/html' }).end('<form method="post"></form>');
    else response.writeHead(303, { location: wayBack(url.searchParams, new URLSearchParams(body)) }).end();
    return;
  }
  const token = request.headers.authorization?.replace(`Bearer ${TOKEN_PREFIX}`, '') ?? '';
  const [user = ''] = token.split('.');
  const { status, content } = answerTo(url.pathname, user, body);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
});

// A request fails if its connection closes while it is sent.
server.keepAliveTimeout = 10 * 60 * 1000;

answerParent({
  async start(argument) {
    deviceCodes = new DeviceCodes(startSchema.parse(argument).seed);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // A TCP server has an AddressInfo.
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    mint = new TokenMint(accessIssuer());
    return origin;
  },
  tokens(argument) {
    const { members, guests, audience } = tokensSchema.parse(argument);
    return { issuer: accessIssuer(), ...mint.tokens(members, guests, audience) };
  },
});

function wayBack(asked: URLSearchParams, form: URLSearchParams): string {
  const back = new URL(asked.get('redirect_uri') ?? '');
  back.searchParams.set('code', form.get('username') ?? '');
  back.searchParams.set('state', asked.get('state') ?? '');
  return back.href;
}

function accessIssuer(): string {
  return `${origin}/access`;
}

/** The response, as JSON. */
function answerTo(path: string, user: string, body: string): Reply {
  switch (path) {
    case '/.well-known/openid-configuration':
      return good(metadata());
    case '/access/.well-known/openid-configuration':
      return good({ issuer: accessIssuer(), jwks_uri: `${origin}/access/keys` });
    case '/access/keys':
      return good(mint.keySet);
    case '/token':
      return redeemed(new URLSearchParams(body));
    case '/device_authorization':
      return good(deviceCodes.give(origin));
    case '/userinfo':
      return good({ sub: user, name: `User ${user}` });
    case '/notes':
      return good({ user, notes: notesOf(user, body) });
    case '/revoke':
      return good({});
    default:
      return { status: 404, content: {} };
  }
}

function good(content: object): Reply {
  return { status: 200, content };
}

function redeemed(form: URLSearchParams): Reply {
  const deviceCode = form.get('device_code');
  if (deviceCode === null) return good(tokensFor(form.get('code') ?? ''));
  const answer = deviceCodes.poll(deviceCode);
  return answer === 'granted' ? good(tokensFor(BY_CODE)) : { status: 400, content: { error: answer } };
}

function notesOf(user: string, body: string): readonly string[] {
  const notes = notesByUser.get(user) ?? [`The first note of ${user}`];
  notesByUser.set(user, notes);
  if (body !== '') notes.push(noteSchema.parse(JSON.parse(body)).text.slice(0, MAX_CHARACTERS));
  if (notes.length > MAX_NOTES) notes.splice(1, 1);
  return notes;
}

function tokensFor(user: string): object {
  const token = () => `${TOKEN_PREFIX}${user}.${randomBytes(24).toString('base64url')}`;
  return {
    token_type: 'Bearer',
    access_token: token(),
    refresh_token: token(),
    expires_in: EXPIRES_IN_SECONDS,
  };
}

function metadata(): object {
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    userinfo_endpoint: `${origin}/userinfo`,
    revocation_endpoint: `${origin}/revoke`,
    device_authorization_endpoint: `${origin}/device_authorization`,
    code_challenge_methods_supported: ['S256'],
  };
}
