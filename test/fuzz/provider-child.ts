/**
 * An OAuth authorization server that believes every user name, and the notes of its users. A code is the name of
 * its user. Every token and every first note says whose it is.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { answerParent } from '../hygiene/asked-process.js';
import { TOKEN_PREFIX } from './canaries.js';

/** Long enough for nothing to be refreshed meanwhile. */
const EXPIRES_IN_SECONDS = 24 * 60 * 60;
/** Of the notes that are added only the last ones are kept, besides the first. */
const MOST_NOTES = 4;
const MOST_CHARACTERS = 200;

const noteSchema = z.object({ text: z.string() });

let origin = '';
const notebooks = new Map<string, string[]>();

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
  const content = answerTo(url.pathname, user, body);
  response
    .writeHead(content ? 200 : 404, { 'content-type': 'application/json' })
    .end(JSON.stringify(content ?? {}));
});

answerParent({
  async start() {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // A TCP server that listens has an AddressInfo.
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return origin;
  },
});

function wayBack(asked: URLSearchParams, form: URLSearchParams): string {
  const back = new URL(asked.get('redirect_uri') ?? '');
  back.searchParams.set('code', form.get('username') ?? '');
  back.searchParams.set('state', asked.get('state') ?? '');
  return back.href;
}

/** What is answered, as JSON; `undefined` where there is nothing. */
function answerTo(path: string, user: string, body: string): object | undefined {
  switch (path) {
    case '/.well-known/openid-configuration':
      return metadata();
    case '/token':
      return tokensFor(new URLSearchParams(body).get('code') ?? '');
    case '/userinfo':
      return { sub: user, name: `User ${user}` };
    case '/notes':
      return { user, notes: notesOf(user, body) };
    case '/revoke':
      return {};
    default:
      return undefined;
  }
}

function notesOf(user: string, body: string): readonly string[] {
  const notes = notebooks.get(user) ?? [`The first note of ${user}`];
  notebooks.set(user, notes);
  if (body !== '') notes.push(noteSchema.parse(JSON.parse(body)).text.slice(0, MOST_CHARACTERS));
  if (notes.length > MOST_NOTES) notes.splice(1, 1);
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
    code_challenge_methods_supported: ['S256'],
  };
}
