import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  readTokenAnswer,
  retryAfterSecondsOf,
  TOKEN_ANSWERS,
  TokenEndpointError,
  UNCHECKED_ID_TOKEN,
} from './token-answers.js';

const FORM = 'application/x-www-form-urlencoded';
const DEAD = '`invalid_grant`, or another name for it such as `login_required`, with any status below 500';
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
    // Without a content type, or with a wrong one.
    () => new Response('{"error":"invalid_grant"}', { status: 400 }),
  ],
  '`temporarily_unavailable`, `server_error` or `slow_down`': [
    () => json({ error: 'temporarily_unavailable' }, 400),
    () => json({ error: 'server_error' }, 400),
    () => form({ error: 'slow_down' }),
  ],
  'another OAuth error, such as `invalid_client`': [
    () => json({ error: 'invalid_client' }, 401),
    () => json({ error: 'unauthorized_client' }, 400),
    () => form({ error: 'incorrect_client_credentials' }),
  ],
  '400 with fields, but no OAuth error among them': [
    () => json({ message: 'no' }, 400),
    () => json({ error: { code: 7 } }, 400),
    () => json({ error: null }, 400),
    () => json({ error: '' }, 400),
  ],
  '400 without any fields: HTML, nothing': [
    () => html(400),
    () => new Response(null, { status: 400 }),
    () => json(['invalid_grant'], 400),
    () => oversized(400).response,
  ],
  'another 4xx without an OAuth error, such as 401, or 403 of a firewall': [
    () => new Response(null, { status: 401 }),
    () => html(403),
    () => json(tokens, 404),
  ],
  'a redirect, which is not followed': [
    () => Response.redirect('https://elsewhere.example/token', 302),
    () => new Response(null, { status: 307, headers: { location: '/login' } }),
    () => new Response(null, { status: 304 }),
  ],
  '2xx, too large to be read': [() => oversized(200).response, () => announced(300 * 1024)],
  '2xx without a readable body: HTML, nothing': [
    () => html(200),
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
  '2xx with tokens of a kind that is not Bearer': [
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
async function rowOf(response: Response): Promise<{ answer: string; outcome: string }> {
  try {
    await readTokenAnswer(response, true);
    return { answer: GRANTED, outcome: 'granted' };
  } catch (error) {
    if (!(error instanceof TokenEndpointError)) throw error;
    const answer = /^The token endpoint responded: (.*)\.$/.exec(error.message)?.[1] ?? '';
    return { answer, outcome: error.outcome };
  }
}

async function read(response: Response, keepsIdToken = false): Promise<Record<string, unknown>> {
  return (await readTokenAnswer(response, keepsIdToken)).json();
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
    TOKEN_ANSWERS.flatMap(({ answer, outcome }) =>
      (EXAMPLES[answer] ?? []).map((respond, index) => ({ answer, outcome, respond, number: index + 1 })),
    ),
  )('has for "$answer" ($number) the outcome $outcome [security 20, 21]', async (example) => {
    const { answer, outcome } = example;
    expect(await rowOf(example.respond())).toEqual({ answer, outcome });
  });

  it('maps each kind of response to its outcome [security 20, 21]', () => {
    const outcomes = TOKEN_ANSWERS.map(({ outcome }) => outcome);
    expect(outcomes).toEqual([
      'unavailable',
      'unavailable',
      'grant_revoked',
      'unavailable',
      'refused',
      'refused',
      'grant_revoked',
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

  it('hides its ID token from openid-client if the caller checks it [security 23]', async () => {
    const answer = () => json({ ...tokens, id_token: 'x.y.z' });
    expect(await read(answer(), true)).toEqual({ ...tokens, [UNCHECKED_ID_TOKEN]: 'x.y.z' });
    expect(await read(answer(), false)).toEqual({ ...tokens, id_token: 'x.y.z' });
  });
});

describe('a response that is too large', () => {
  it('is not read completely', async () => {
    const { response, read } = oversized(200);
    await expect(readTokenAnswer(response, true)).rejects.toMatchObject({ outcome: 'lost' });
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
    await expect(readTokenAnswer(broken(200), true)).rejects.toThrow('terminated');
    await expect(readTokenAnswer(broken(400), true)).rejects.toThrow('terminated');
  });

  it.each([429, 500, 503])(
    'counts by its status %i if that determines the outcome [security 20]',
    async (status) => {
      await expect(readTokenAnswer(broken(status), true)).rejects.toMatchObject({ outcome: 'unavailable' });
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
      await expect(readTokenAnswer(answer, true)).rejects.toMatchObject({ retryAfterSeconds: 7 });
    }
  });
});
