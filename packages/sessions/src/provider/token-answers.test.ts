import { afterEach, describe, expect, it, vi } from 'vitest';
import { failureOf } from './provider-failure.js';
import { TOKEN_ANSWERS } from './token-answer-table.js';
import {
  RAW_ANSWER,
  readTokenAnswer,
  retryAfterSecondsOf,
  type TokenAnswerForm,
  TokenEndpointError,
  UNCHECKED_ID_TOKEN,
} from './token-answers.js';

const FORM = 'application/x-www-form-urlencoded';
const DEAD = '`invalid_grant`, or another name for it such as `login_required`, with any status below 500';
const SAYS_DEAD =
  'an error whose description says that the refresh token, the code or the grant is invalid, expired or revoked';
const CLIENT =
  '`invalid_client`, or another name for it such as `unauthorized_client`, or 401 that asks for the credentials of the client';
const GRANTED = '2xx with an access token';
const tokens = { access_token: 'a', token_type: 'Bearer' };

function json(body: unknown, status = 200): Response {
  return Response.json(body, { status });
}

function form(fields: Record<string, string>, status = 200): Response {
  const headers = { 'content-type': `${FORM}; charset=utf-8` };
  return new Response(new URLSearchParams(fields).toString(), { status, headers });
}

function html(status: number): Response {
  return new Response('<h1>Oops</h1>', { status, headers: { 'content-type': 'text/html' } });
}

/** Responses of providers, by the row of the table that applies. */
const EXAMPLES: Readonly<Record<string, readonly (() => Response)[]>> = {
  '429': [
    () => new Response(null, { status: 429 }),
    () => json({ error: 'invalid_grant' }, 429),
    () => json(tokens, 429),
  ],
  '5xx': [
    () => html(500),
    () => new Response(null, { status: 503 }),
    () => json({ error: 'invalid_grant' }, 502),
    () => json(tokens, 599),
    () => oversized(500).response,
  ],
  'HTML, with any status': [
    () => html(200),
    () => html(400),
    () => html(403),
    () => new Response('<!doctype html><title>Log in</title>', { status: 200 }),
    () => new Response(' \n<?xml version="1.0"?><html/>', { status: 401 }),
    () => new Response('Service down', { status: 400, headers: { 'content-type': 'text/html' } }),
    () => new Response('<html></html>', { headers: { 'content-type': FORM } }),
    () => new Response(oversized(200).response.body, { headers: { 'content-type': 'text/html' } }),
    () => new Response('<h1>Moved</h1>', { status: 302, headers: { 'content-type': 'text/html' } }),
  ],
  [DEAD]: [
    () => json({ error: 'invalid_grant' }, 400),
    () => json({ error: 'invalid_grant' }, 401),
    () => json({ error: 'interaction_required' }, 400),
    () => json({ error: 'login_required' }, 400),
    () => json({ error: 'consent_required' }, 400),
    () => json({ error: 'account_selection_required' }, 400),
    () => json({ error: 'invalid_refresh_token' }, 401),
    () => json({ error: 'expired_token' }, 400),
    () => json({ error: 'invalid_grant', ...tokens }),
    () => form({ error: 'invalid_grant' }, 400),
    // GitHub, which answers errors with 200.
    () => json({ error: 'bad_refresh_token', error_description: 'The refresh token is incorrect.' }),
    () => form({ error: 'bad_verification_code' }),
    // Zoho (github.com/schmorrison/Zoho/pull/18).
    () => json({ error: 'invalid_code' }),
    // Slack.
    () => json({ ok: false, error: 'token_revoked' }),
    () => json({ ok: false, error: 'token_expired' }),
    () => json({ ok: false, error: 'invalid_refresh_token' }),
    () => json({ error: 'refresh_token_expired' }, 403),
    // Without a content type, or with a wrong one.
    () => new Response('{"error":"invalid_grant"}', { status: 400 }),
    () =>
      new Response('{"error":"invalid_grant"}', { status: 400, headers: { 'content-type': 'text/html' } }),
  ],
  '`temporarily_unavailable`, `server_error` or `slow_down`': [
    () => json({ error: 'temporarily_unavailable' }, 400),
    () => json({ error: 'server_error' }, 400),
    () => form({ error: 'slow_down' }),
  ],
  [SAYS_DEAD]: [
    // Atlassian (github.com/raycast/extensions/issues/11836).
    () => json({ error: 'unauthorized_client', error_description: 'refresh_token is invalid' }, 403),
    // DeviantArt, Xee (github.com/wix-incubator/DeviantArt-API/issues/58).
    () =>
      json(
        { error: 'invalid_request', error_description: 'The refresh_token is invalid.', status: 'error' },
        400,
      ),
    // Strava (github.com/dreeveapp/dreeve/issues/1449).
    () =>
      json(
        {
          message: 'Bad Request',
          errors: [{ resource: 'RefreshToken', field: 'refresh_token', code: 'invalid' }],
        },
        400,
      ),
    () =>
      json(
        {
          message: 'Bad Request',
          errors: [{ resource: 'AuthorizationCode', field: 'code', code: 'invalid' }],
        },
        400,
      ),
    // HubSpot (github.com/airbytehq/airbyte/issues/79592).
    () => json({ status: 'BAD_REFRESH_TOKEN', message: 'missing or invalid refresh token' }, 400),
    // X (github.com/plhery/node-twitter-api-v2/issues/496).
    () =>
      json(
        {
          error: 'invalid_request',
          error_description: 'Value passed for the authorization code was invalid.',
        },
        400,
      ),
    () =>
      json({ error: 'invalid_request', error_description: 'Value passed for the token was invalid.' }, 400),
    // better-auth (github.com/better-auth/better-auth/issues/8099).
    () => json({ error: 'invalid_request', error_description: 'session not found' }, 400),
    () => json({ error: { message: 'Refresh token has been revoked' } }, 400),
    () => json({ message: 'The refresh token has expired' }, 401),
    () => form({ error: 'invalid_request', error_description: 'Expired refresh token' }),
  ],
  [CLIENT]: [
    () => json({ error: 'invalid_client' }, 401),
    () => json({ error: 'unauthorized_client' }, 400),
    () => json({ error: 'invalid_client', error_description: 'invalid refresh token' }, 401),
    // GitHub (docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps).
    () => form({ error: 'incorrect_client_credentials' }),
    // Slack (github.com/slackhq/slack-api-docs/issues/18, github.com/slackapi/python-slack-sdk/issues/690).
    () => json({ ok: false, error: 'bad_client_secret' }),
    () => json({ ok: false, error: 'invalid_client_id' }),
    () => json({ error: 'invalid_client_secret' }),
    () => json({ status: 'BAD_CLIENT_SECRET', message: 'missing or invalid client secret' }, 400),
    // Strava (github.com/ryanbaumann/Strava-Stream-to-CSV/issues/1).
    () =>
      json(
        {
          message: 'Bad Request',
          errors: [{ resource: 'Application', field: 'client_id', code: 'invalid' }],
        },
        400,
      ),
    // Two errors, of which neither says that the token is dead.
    () =>
      json(
        {
          errors: [
            { resource: 'RefreshToken', field: 'refresh_token', code: 'missing' },
            { resource: 'Application', field: 'client_secret', code: 'invalid' },
          ],
        },
        400,
      ),
    () =>
      json(
        {
          error: 'unauthorized_client',
          error_description: 'Grant type refresh_token is invalid for the client',
        },
        400,
      ),
    () => json({ error: 'unauthorized_client', error_description: 'refresh token: secret expired' }, 401),
    () => new Response(null, { status: 401, headers: { 'www-authenticate': 'Basic realm="token"' } }),
  ],
  'another OAuth error, such as `invalid_request`': [
    () => json({ error: 'invalid_request', error_description: 'refresh_token is missing' }, 400),
    () => json({ error: 'invalid_scope', error_description: 'The scope exceeds that of the grant' }, 400),
    () =>
      json(
        { error: 'unsupported_grant_type', error_description: 'refresh_token is an invalid grant_type' },
        400,
      ),
    () => json({ error: 'brewing' }, 418),
    // Descriptions that name the refresh token, and say that something else is invalid.
    () =>
      json({ error: 'invalid_scope', error_description: 'The scope of the refresh token is invalid' }, 400),
    () => json({ error: 'invalid_target', error_description: 'refresh_token: invalid URI' }, 400),
    () =>
      json({ error: 'invalid_request', error_description: 'No refresh_token, or invalid client_id' }, 400),
    () => json({ error: 'invalid_request', error_description: 'Invalid refresh token request' }, 400),
    () => json({ error: 'invalid_request', error_description: 'refresh token grant: invalid body' }, 400),
    () =>
      json(
        {
          error: 'invalid_request',
          error_description: 'The client assertion sent with the refresh token has expired',
        },
        400,
      ),
    () => json({ error: 'access_denied', error_description: 'Grant management: the key is invalid' }, 403),
  ],
  '400 with fields, but no OAuth error among them': [
    () => json({ message: 'no' }, 400),
    () => json({ error: { code: 7 } }, 400),
    () => json({ error: null }, 400),
    () => json({ error: '' }, 400),
  ],
  '400 without any fields: plain text, nothing': [
    () => new Response(null, { status: 400 }),
    () => new Response('', { status: 400, headers: { 'content-type': 'text/html' } }),
    () => new Response('Invalid refresh token', { status: 400 }),
    () => json(['invalid_grant'], 400),
  ],
  '401 with nothing, or without an OAuth error': [
    // github.com/givtnl/givt-app/pull/1912
    () => new Response(null, { status: 401 }),
    () => new Response(null, { status: 401, headers: { 'www-authenticate': 'Bearer' } }),
    () => new Response('Unauthorized', { status: 401 }),
  ],
  'another 4xx without an OAuth error, such as 403 of a firewall': [
    () => new Response('Forbidden', { status: 403 }),
    () => json(tokens, 404),
    () => oversized(400).response,
  ],
  'a redirect, which is not followed': [
    () => Response.redirect('https://elsewhere.example/token', 302),
    () => new Response(null, { status: 307, headers: { location: '/login' } }),
    () => new Response(null, { status: 304 }),
  ],
  '2xx, too large to be read': [() => oversized(200).response, () => announced(300 * 1024)],
  '2xx without a readable body: plain text, nothing': [
    () => new Response('OK'),
    () => new Response(null, { status: 204 }),
    () => new Response('', { status: 200 }),
    () => new Response('{"access_token":"a"', { headers: { 'content-type': 'application/json' } }),
    () => json('a'),
    () => json([tokens]),
    () => json(null),
  ],
  '2xx without an access token': [
    () => json({}),
    () => json({ access_token: '', token_type: 'Bearer' }),
    () => json({ access_token: 7, token_type: 'Bearer' }),
    () => json({ access_token: null, refresh_token: 'r' }),
    () => form({ token_type: 'bearer' }),
    () => form({}),
  ],
  '2xx with an access token that no HTTP header can carry': [
    () => json({ ...tokens, access_token: 'a\r\nb' }),
    () => json({ ...tokens, access_token: 'a\nb' }),
    () => json({ ...tokens, access_token: 'a\0b' }),
    () => json({ ...tokens, access_token: 'a\u2019' }),
    () => json({ ...tokens, access_token: ' ' }),
    () => form({ access_token: 'a\rb', token_type: 'bearer' }),
  ],
  '2xx with tokens of a kind that is not Bearer, nor one of `tokenTypes`': [
    () => json({ ...tokens, token_type: 'DPoP' }),
    () => json({ ...tokens, token_type: 'mac' }),
    () => json({ ...tokens, token_type: 'Bearer, DPoP' }),
    () => form({ access_token: 'a', token_type: 'N_A' }),
  ],
  [GRANTED]: [
    () => json(tokens),
    () => json(tokens, 201),
    () => json({ ...tokens, token_type: 'bEARER' }),
    () => json({ access_token: 'a' }),
    () => json({ access_token: 'a\n' }),
    () => form({ access_token: 'a', scope: 'repo,user', token_type: 'bearer' }),
    () => form({ access_token: 'a', error: '' }),
    () => new Response(JSON.stringify(tokens), { headers: { 'content-type': 'text/html' } }),
  ],
};

/** An endless response without a length. */
function oversized(status: number) {
  const chunk = new TextEncoder().encode(' '.repeat(64 * 1024));
  const read = { bytes: 0, isCancelled: false };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      read.bytes += chunk.length;
      controller.enqueue(chunk);
    },
    cancel() {
      read.isCancelled = true;
    },
  });
  const response = new Response(body, { status, headers: { 'content-type': 'application/json' } });
  return { response, read };
}

function announced(bytes: number): Response {
  return new Response(JSON.stringify(tokens), { headers: { 'content-length': String(bytes) } });
}

/** The row that applies to a response, from the error; or that there was no error. */
async function rowOf(
  response: Response,
): Promise<{ answer: string; outcome: string; reason: string | undefined }> {
  try {
    await readTokenAnswer(response);
    return { answer: GRANTED, outcome: 'granted', reason: undefined };
  } catch (error) {
    if (!(error instanceof TokenEndpointError)) throw error;
    const answer = /^The token endpoint responded: (.*)\.$/.exec(error.message)?.[1] ?? '';
    const { reason } = failureOf(error, { provider: 'idp', step: 'token' });
    return { answer, outcome: error.outcome, reason };
  }
}

/** The converted response, and the whole answer beside it. */
async function readBoth(response: Response, form?: TokenAnswerForm): Promise<Record<string, unknown>[]> {
  const { [RAW_ANSWER]: raw, ...fields } = await (await readTokenAnswer(response, form)).json();
  return [fields, raw];
}

async function read(
  response: Response,
  form?: TokenAnswerForm,
): Promise<Record<string, unknown> | undefined> {
  return (await readBoth(response, form))[0];
}

afterEach(() => {
  vi.useRealTimers();
});

describe('the table of token answers', () => {
  it('has an example for each row, and no duplicates', () => {
    expect(TOKEN_ANSWERS.map(({ answer }) => answer)).toEqual(Object.keys(EXAMPLES).sort(byTable));
    for (const [answer, examples] of Object.entries(EXAMPLES)) expect(examples, answer).not.toEqual([]);
  });

  it.each(
    TOKEN_ANSWERS.flatMap(({ answer, outcome, reason }) =>
      (EXAMPLES[answer] ?? []).map((respond, index) => ({
        answer,
        outcome,
        reason,
        respond,
        number: index + 1,
      })),
    ),
  )(
    'has for "$answer" ($number) the outcome $outcome and the reason $reason [security 20, 21]',
    async (example) => {
      const { answer, outcome, reason } = example;
      expect(await rowOf(example.respond())).toEqual({ answer, outcome, reason });
    },
  );

  it('maps each kind of response to its outcome [security 20, 21]', () => {
    const outcomes = TOKEN_ANSWERS.map(({ outcome }) => outcome);
    expect(outcomes).toEqual([
      'unavailable',
      'unavailable',
      'unavailable',
      'grant_revoked',
      'unavailable',
      'grant_revoked',
      'refused',
      'refused',
      'refused',
      'grant_revoked',
      'refused',
      'refused',
      'refused',
      'lost',
      'lost',
      'lost',
      'lost',
      'lost',
      'granted',
    ]);
  });
});

function byTable(one: string, other: string): number {
  const place = (answer: string) => TOKEN_ANSWERS.findIndex((row) => row.answer === answer);
  return place(one) - place(other);
}

describe('a response with tokens', () => {
  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['without token_type', { token_type: undefined }, { token_type: 'Bearer' }],
    ['with token_type null', { token_type: null }, { token_type: 'Bearer' }],
    ['with an empty token_type', { token_type: '' }, { token_type: 'Bearer' }],
    ['with token_type in capitals', { token_type: 'BEARER' }, { token_type: 'Bearer' }],
    ['without refresh token', {}, {}],
    ['with an empty refresh token', { refresh_token: '' }, {}],
    ['with refresh token null', { refresh_token: null }, {}],
    ['with a number for a refresh token', { refresh_token: 7 }, {}],
    ['with a refresh token', { refresh_token: 'r' }, { refresh_token: 'r' }],
    ['with an empty ID token', { id_token: '' }, {}],
    ['with ID token null', { id_token: null }, {}],
    ['with scope null', { scope: null }, {}],
    ['with an empty scope', { scope: '' }, {}],
    ['with a list of scopes', { scope: ['a', 'b'] }, { scope: 'a b' }],
    ['with an empty list of scopes', { scope: [] }, {}],
    ['with scopes', { scope: 'a b' }, { scope: 'a b' }],
    ['with `scopes` (HubSpot)', { scopes: ['a', 'b'] }, { scopes: ['a', 'b'], scope: 'a b' }],
    ['with both', { scope: 'a', scopes: ['a', 'b'] }, { scope: 'a', scopes: ['a', 'b'] }],
    ['with refresh_expires_in', { refresh_expires_in: 1800 }, { refresh_expires_in: 1800 }],
    ['with refresh_expires_in 0 (Keycloak)', { refresh_expires_in: 0 }, {}],
    ['with expires_in as a string', { expires_in: '3600' }, { expires_in: 3600 }],
    ['with a fraction of a second', { expires_in: 0.5 }, { expires_in: 0.5 }],
    ['with expires_in null', { expires_in: null }, {}],
    ['with an empty expires_in', { expires_in: ' ' }, {}],
    ['with expires_in zero', { expires_in: 0 }, {}],
    ['with a negative expires_in', { expires_in: -1 }, {}],
    ['with words for expires_in', { expires_in: 'an hour' }, {}],
    ['with expires_in that no token lives', { expires_in: 1e12 }, {}],
    ['with an infinite expires_in', { expires_in: 'Infinity' }, {}],
    ['with true for expires_in', { expires_in: true }, {}],
    ['with a century', { expires_in: 3_153_600_000 }, { expires_in: 3_153_600_000 }],
    ['with unknown fields', { example: [1] }, { example: [1] }],
  ])('%s is converted to the form of RFC 6749 [security 18, 19]', async (_what, fields, repaired) => {
    expect(await read(json({ ...tokens, ...fields }))).toEqual({ ...tokens, ...repaired });
  });

  it('may be form-encoded; numbers are parsed', async () => {
    const fields = {
      access_token: 'gho_1',
      refresh_token: '',
      expires_in: '28800',
      scope: 'repo,user',
      token_type: 'bearer',
    };
    expect(await read(form(fields))).toEqual({
      access_token: 'gho_1',
      expires_in: 28_800,
      scope: 'repo,user',
      token_type: 'Bearer',
    });
  });

  it.each(['refresh_token_expires_in', 'x_refresh_token_expires_in'])(
    'may announce the lifetime of its refresh token as %s',
    async (name) => {
      expect(await read(json({ ...tokens, [name]: '8726400' }))).toMatchObject({
        refresh_expires_in: 8_726_400,
      });
    },
  );

  it('hides its ID token from openid-client, because the caller checks it [security 23]', async () => {
    const answer = json({ ...tokens, id_token: 'x.y.z' });
    expect(await read(answer)).toEqual({ ...tokens, [UNCHECKED_ID_TOKEN]: 'x.y.z' });
  });

  it('has its whole answer beside its tokens, as the provider sent it', async () => {
    const answer = { ...tokens, token_type: 'bearer', team: { id: 'T1' }, expires_in: '60' };
    expect(await readBoth(json(answer))).toEqual([{ ...tokens, team: { id: 'T1' }, expires_in: 60 }, answer]);
  });

  it('may have tokens of the types that are configured, in any letter case', async () => {
    const bot = { ...tokens, token_type: 'Bot' };
    const tokenTypes = ['Bearer', 'bot', 'User Access Token'];
    expect(await read(json(bot), { tokenTypes })).toEqual(tokens);
    expect(await read(json({ ...bot, token_type: 'user access token' }), { tokenTypes })).toEqual(tokens);
    await expect(read(json({ ...bot, token_type: 'user' }), { tokenTypes })).rejects.toThrow('tokenTypes');
    await expect(read(json(bot))).rejects.toThrow('tokenTypes');
  });
});

describe('a response with its tokens in a field (Slack)', () => {
  const user = { id: 'U1', scope: 'chat:write', access_token: 'xoxp-1', token_type: 'user' };
  const slack = { ok: true, app_id: 'A1', access_token: 'xoxb-1', token_type: 'bot', authed_user: user };
  const form = { tokensAt: '/authed_user', tokenTypes: ['Bearer', 'user'] };

  it('is read from that field only', async () => {
    expect(await readBoth(json(slack), form)).toEqual([{ ...user, token_type: 'Bearer' }, slack]);
  });

  it.each<[string, Record<string, unknown>]>([
    ['has no such field, as after a refresh', { access_token: 'a', token_type: 'user', refresh_token: 'r' }],
    ['has no token there', { ...tokens, authed_user: { id: 'U1' } }],
    ['has a text there', { ...tokens, authed_user: 'U1' }],
    ['has a list there', { ...tokens, authed_user: [user] }],
  ])('is read from its top level if it %s', async (_what, answer) => {
    expect(await read(json(answer), form)).toMatchObject({ access_token: 'a' });
  });

  it('is an error if its top level has one', async () => {
    await expect(read(json({ ...slack, ok: false, error: 'token_revoked' }), form)).rejects.toMatchObject({
      outcome: 'grant_revoked',
    });
  });
});

describe('the description of an error', () => {
  it('reaches no message of the error', async () => {
    const answer = json({ error: 'invalid_request', error_description: 'secret-in-the-text' }, 400);
    const error = await readTokenAnswer(answer).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TokenEndpointError);
    expect(String(error)).not.toContain('secret-in-the-text');
  });

  it('is compared up to its 1,000th character', async () => {
    const dead = (start: number) => ({ message: `${' '.repeat(start)}expired refresh token` });
    expect(await rowOf(json(dead(979), 400))).toMatchObject({ outcome: 'grant_revoked' });
    expect(await rowOf(json(dead(980), 400))).toMatchObject({ outcome: 'refused' });
  });
});

describe('a response that is too large', () => {
  it('is not read completely', async () => {
    const { response, read } = oversized(200);
    await expect(readTokenAnswer(response)).rejects.toMatchObject({ outcome: 'lost' });
    expect(read.bytes).toBeLessThan(1024 * 1024);
    expect(read.isCancelled).toBe(true);
  });

  it('has more than 256 KiB', async () => {
    const padding = (bytes: number) => json({ ...tokens, padding: ' '.repeat(bytes) });
    expect(await rowOf(padding(255 * 1024))).toMatchObject({ outcome: 'granted' });
    expect(await rowOf(padding(256 * 1024))).toMatchObject({ outcome: 'lost' });
  });
});

describe('a response whose body breaks off', () => {
  const broken = (status: number) =>
    new Response(
      new ReadableStream({ pull: (controller) => controller.error(new TypeError('terminated')) }),
      {
        status,
      },
    );

  it('is lost if the body determines the outcome', async () => {
    await expect(readTokenAnswer(broken(200))).rejects.toThrow('terminated');
    await expect(readTokenAnswer(broken(400))).rejects.toThrow('terminated');
  });

  it.each([429, 500, 503])(
    'counts by its status %i if that determines the outcome [security 20]',
    async (status) => {
      await expect(readTokenAnswer(broken(status))).rejects.toMatchObject({ outcome: 'unavailable' });
    },
  );
});

describe('Retry-After', () => {
  const NOW = Date.parse('Wed, 01 Apr 2026 12:00:00 GMT');
  const secondsOf = (value: string) =>
    retryAfterSecondsOf(new Response(null, { status: 503, headers: { 'retry-after': value } }));

  it.each<[string, string, number | undefined]>([
    ['in seconds', '120', 120],
    ['at once', '0', 0],
    ['as a date', 'Wed, 01 Apr 2026 12:01:30 GMT', 90],
    ['as a date in the past', 'Wed, 01 Apr 2026 11:00:00 GMT', 0],
    ['as a date far away', 'Wed, 01 Apr 2037 12:00:00 GMT', 3600],
    ['of more than an hour', '86400', 3600],
    ['of more than a number holds', '9'.repeat(400), undefined],
    ['as nonsense', 'soon', undefined],
    ['of nothing', '', undefined],
  ])('%s is read [security 20]', (_what, value, seconds) => {
    vi.useFakeTimers({ now: NOW, toFake: ['Date'] });
    expect(secondsOf(value)).toBe(seconds);
  });

  it('that is missing has no value', () => {
    expect(retryAfterSecondsOf(new Response(null, { status: 503 }))).toBeUndefined();
  });

  it('is part of every error [security 20]', async () => {
    const answers = [new Response(null, { status: 429, headers: { 'retry-after': '7' } })];
    answers.push(Response.json({ error: 'slow_down' }, { status: 400, headers: { 'retry-after': '7' } }));
    for (const answer of answers) {
      await expect(readTokenAnswer(answer)).rejects.toMatchObject({ retryAfterSeconds: 7 });
    }
  });
});
