import { describe, expect, it } from 'vitest';
import type { ProviderFault } from '../../packages/sessions/src/testing/index.js';
import { createLatch } from '../support/latch.js';
import { startRenewable } from '../support/renewable-login.js';
import { ERAS } from '../support/transcribed-server.js';

const MINUTE = 60_000;
const API = 'https://api.test';
const challenged = (status: number, challenge: string) => () =>
  new Response('no', { status, headers: { 'www-authenticate': challenge } });
const CLAIMS = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}';
const claimsChallenge = (claims: string) =>
  `Bearer error="insufficient_claims", claims="${Buffer.from(claims).toString('base64')}"`;
const insufficientScope = (...scopes: string[]) =>
  `Bearer error="insufficient_scope", scope="${scopes.join(' ')}"`;
/** The provider grants these scopes, whatever was requested. */
const granting =
  (...scopes: string[]) =>
  async (response: Response) =>
    Response.json({ ...(await response.json()), scope: scopes.join(' ') });

describe.each(ERAS)('an API that demands scopes (%s)', (era) => {
  it('leads to a login that requests them besides the others', async () => {
    let answer = challenged(403, insufficientScope('notes:write', 'notes:admin'));
    const { call, browse, login, status, requested } = await startRenewable(era, { api: () => answer() });
    await login();
    expect(await call('use')).toMatchObject({
      isError: true,
      text: `The API at ${API} requires the scopes ["notes:write","notes:admin"]. Call the \`login\` tool with provider "provider", then repeat this call.`,
    });
    expect(await status()).toMatchObject({
      accounts: [
        { state: 'authenticated', requiredScopes: ['notes:write', 'notes:admin'], requiresStepUp: true },
      ],
      next: 'An API requires the scopes ["notes:write","notes:admin"] at "provider". Call `login` with provider "provider".',
    });

    const { structured } = await call('login');
    expect(structured).toMatchObject({ status: 'pending' });
    expect((await call('login')).structured.loginUrl).toBe(structured.loginUrl);
    await browse(structured.loginUrl);
    expect(requested.at(-1)?.get('scope')?.split(' ')).toEqual(['profile', 'notes:write', 'notes:admin']);
    expect(requested.at(-1)?.get('prompt')).toBeNull();
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    answer = () => new Response('done');
    expect(await call('use')).toMatchObject({ text: '200 done' });
    expect((await status()).next).toMatch(/^Nothing\./);
  });

  it('that the login has already gets its response to the tool, and causes no login', async () => {
    const { call, login } = await startRenewable(era, { api: challenged(403, insufficientScope('profile')) });
    await login();
    expect(await call('use')).toMatchObject({ text: '403 no' });
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
  });

  it('that the user then does not grant causes no other login, until `renew` asks for them again', async () => {
    const api = challenged(403, insufficientScope('notes:write'));
    const { call, browse, login, status, requested, provider } = await startRenewable(era, { api });
    await login();
    await call('use');
    provider.failUntilMended('token', granting('profile'));
    await login();
    expect(await call('use')).toMatchObject({
      isError: true,
      text: expect.stringMatching(
        /did not grant the scopes \["notes:write"\].*`login` tool with provider "provider" and renew: true/,
      ),
    });
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect(await status()).toMatchObject({
      accounts: [{ refusedScopes: ['notes:write'] }],
      next: expect.stringMatching(/did not grant \["notes:write"\].*renew: true/),
    });

    provider.mend();
    const { structured } = await call('login', { renew: true });
    await browse(structured.loginUrl);
    expect(requested.at(-1)?.get('scope')?.split(' ')).toEqual(['profile', 'notes:write']);
    expect(requested.at(-1)?.get('prompt')).toBe('consent');
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect((await status()).accounts).not.toMatchObject([{ refusedScopes: expect.anything() }]);
  });

  it('does not keep other calls from running', async () => {
    const { call, login } = await startRenewable(era, {
      api: ({ url }) =>
        url.endsWith('/others')
          ? new Response('others')
          : challenged(403, insufficientScope('notes:write'))(),
      tools: (tool, context) =>
        tool(
          'others',
          context.requireLogin(async () => (await context.session().fetch(`${API}/others`)).text()),
        ),
    });
    await login();
    await call('use');
    expect(await call('others')).toMatchObject({ text: 'others' });
  });

  it('after a redirect to another origin is not the API of the token, and causes no login', async () => {
    const other = challenged(403, insufficientScope('notes:write'));
    const { call, login } = await startRenewable(era, {
      api: () => new Response(null, { status: 302, headers: { location: 'https://other.test/' } }),
      elsewhere: async () => other(),
    });
    await login();
    expect(await call('use')).toMatchObject({ text: '403 no' });
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
  });
});

describe.each(ERAS)('an API that demands claims (%s)', (era) => {
  it('leads to one login that requests them besides the configured ones', async () => {
    const api = challenged(401, claimsChallenge(CLAIMS));
    const options = {
      authorizationParams: { claims: '{"access_token":{"xms_cc":{"values":["cp1"]}}}' },
    };
    const { call, login, status, requested } = await startRenewable(era, { api, options });
    await login();
    expect(await call('use')).toMatchObject({
      isError: true,
      text: expect.stringContaining(`The API at ${API} requires a stronger login. Call the \`login\` tool`),
    });
    expect((await status()).next).toContain('An API requires a stronger login at "provider". Call `login`');
    expect((await login()).structured).toMatchObject({ status: 'authenticated' });
    expect(JSON.parse(requested.at(-1)?.get('claims') ?? '')).toEqual({
      access_token: { xms_cc: { values: ['cp1'] }, acrs: { essential: true, value: 'c1' } },
    });

    // The provider has answered them. The same demand again would lead to the same tokens.
    expect(await call('use')).toMatchObject({ text: '401 no' });
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect((await status()).next).toMatch(/^Nothing\./);
  });

  it('leads to another login if it demands others', async () => {
    let claims = CLAIMS;
    const { call, login } = await startRenewable(era, {
      api: () => challenged(401, claimsChallenge(claims))(),
    });
    await login();
    await call('use');
    await login();
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}';
    expect(await call('use')).toMatchObject({ isError: true });
    expect((await call('login')).structured).toMatchObject({ status: 'pending' });
  });
});

/** A challenge whose claims are never twice the same, as those of Microsoft Entra ID. */
const nbf = (time: number) =>
  claimsChallenge(`{"access_token":{"nbf":{"essential":true,"value":"${1_604_106_651 + time}"}}}`);

describe.each(ERAS)('an API that demands tokens of another time with each challenge (%s)', (era) => {
  it('leads to one login, whose link stays, and to another one only later', async () => {
    let time = 0;
    const api = () => challenged(401, nbf(time++))();
    const { clock, call, browse, login, status } = await startRenewable(era, { api });
    await login();
    await call('use');
    const { loginUrl } = (await call('login')).structured;
    expect(await call('use')).toMatchObject({ isError: true });
    expect((await call('login')).structured).toMatchObject({ status: 'pending', loginUrl });
    await browse(loginUrl);
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect(await call('use')).toMatchObject({ text: '401 no' });
    expect(await call('use')).toMatchObject({ text: '401 no' });
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect((await status()).next).toMatch(/^Nothing\./);

    await clock.advance(10 * MINUTE);
    expect(await call('use')).toMatchObject({ isError: true });
    expect((await call('login')).structured).toMatchObject({ status: 'pending' });
  });

  it('leads to another login as soon as the API has accepted the token in the meantime', async () => {
    let answer = challenged(401, nbf(1));
    const { call, login } = await startRenewable(era, { api: () => answer() });
    await login();
    await call('use');
    await login();
    answer = () => new Response('done');
    expect(await call('use')).toMatchObject({ text: '200 done' });
    answer = challenged(401, nbf(60));
    expect(await call('use')).toMatchObject({
      isError: true,
      text: expect.stringContaining('requires a stronger login. Call the `login` tool'),
    });
    expect((await call('login')).structured).toMatchObject({ status: 'pending' });
  });
});

describe.each(ERAS)('a demand of an API in the device flow (%s)', (era) => {
  it('is in the requests for the user code and for the tokens', async () => {
    let answer = challenged(401, claimsChallenge(CLAIMS));
    const { clock, provider, call, sent } = await startRenewable(era, {
      api: () => answer(),
      options: {
        deviceFlow: 'only',
        authorizationParams: { claims: '{"access_token":{"xms_cc":{"values":["cp1"]}}}' },
      },
    });
    const login = async () => {
      provider.approve(String((await call('login')).structured.userCode), 'alice');
      await clock.advance(6000);
      return call('login');
    };
    expect((await login()).structured).toMatchObject({ status: 'authenticated' });
    await call('use');
    answer = challenged(403, insufficientScope('notes:write'));
    await call('use');
    sent.length = 0;
    expect((await login()).structured).toMatchObject({ status: 'authenticated' });
    const claims = { access_token: { xms_cc: { values: ['cp1'] }, acrs: { essential: true, value: 'c1' } } };
    const claimsOf = (form?: URLSearchParams) => JSON.parse(form?.get('claims') ?? '{}');
    const poll = sent.find((form) => form.has('device_code'));
    expect([claimsOf(sent[0]), claimsOf(poll)]).toEqual([claims, claims]);
    expect(sent[0]?.get('scope')).toBe('profile notes:write');
    answer = challenged(401, claimsChallenge(CLAIMS));
    expect(await call('use')).toMatchObject({ text: '401 no' });
  });
});

describe.each(ERAS)('an API that rejects a token and the renewed one (%s)', (era) => {
  it('gets no third one, and status and `login` say so, while other APIs accept it', async () => {
    const { call, browse, login, status, provider } = await startRenewable(era, {
      api: ({ url }) =>
        url.endsWith('/others') ? new Response('others') : new Response('no', { status: 401 }),
      tools: (tool, context) =>
        tool('others', async () => (await context.session().fetch(`${API}/others`)).text()),
    });
    await login();
    expect(await call('use')).toMatchObject({ text: '401 no' });
    expect(await call('use')).toMatchObject({ text: '401 no' });
    expect(provider.requests.token).toBe(2);
    expect(await status()).toMatchObject({
      state: 'authenticated',
      accounts: [{ reason: 'token_rejected' }],
      next: expect.stringMatching(
        /^An API rejected the access token.*Other calls may work.*call `login` with provider "provider" and renew: true/,
      ),
    });
    expect((await call('login')).structured).toMatchObject({
      status: 'authenticated',
      next: expect.stringMatching(
        /An API rejected the access token.*`login` with provider "provider" and renew: true/,
      ),
    });
    expect(await call('others')).toMatchObject({ text: 'others' });
    const { loginUrl } = (await call('login', { renew: true })).structured;
    await browse(loginUrl);
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect((await status()).next).toMatch(/^Nothing\./);
  });

  it('gets a new one after the next scheduled refresh', async () => {
    const dead = new Set<string>();
    const { clock, call, login, status } = await startRenewable(era, {
      api: ({ headers }, user) => {
        const token = headers.get('authorization') ?? '';
        if (dead.size < 2) dead.add(token);
        return dead.has(token) ? new Response('no', { status: 401 }) : new Response(user ?? '');
      },
    });
    await login();
    expect(await call('use')).toMatchObject({ text: '401 no' });
    await clock.advance(10 * MINUTE);
    expect((await status()).accounts).not.toMatchObject([{ reason: expect.anything() }]);
    expect(await call('use')).toMatchObject({ text: '200 alice' });
  });

  it('can be reported by a tool, so that `login` starts a login', async () => {
    const { call, login, status } = await startRenewable(era, {
      api: () => new Response('no', { status: 401 }),
      tools: (tool, context) =>
        tool('report', async () => {
          const session = context.session();
          const { status } = await session.fetch(`${API}/`);
          await session.tokenRejected();
          return String(status);
        }),
    });
    await login();
    expect(await call('report')).toMatchObject({
      isError: true,
      text: expect.stringContaining('no longer accepts the login at "provider". Call the `login` tool'),
    });
    expect((await status()).state).toBe('expired');
    expect((await call('login')).structured).toMatchObject({ status: 'pending' });
  });
});

describe.each(ERAS)('`session.tokenRejected` (%s)', (era) => {
  /** An API that rejects the first tokens with 403, and a tool that reports it and repeats its call. */
  async function start(rejections: number) {
    const rejected = new Set<string>();
    const [seen, renewed] = [createLatch(), createLatch()];
    const server = await startRenewable(era, {
      api: ({ headers }, user) => {
        const token = headers.get('authorization') ?? '';
        if (rejected.size < rejections) rejected.add(token);
        return rejected.has(token) ? new Response('dead', { status: 403 }) : new Response(user ?? '');
      },
      tools: (tool, context) => {
        tool('insist', async () => {
          const session = context.session();
          const first = await session.fetch(`${API}/`);
          if (first.status !== 403) return first.text();
          await context.session().tokenRejected();
          const second = await session.fetch(`${API}/`);
          if (second.status === 403) await session.tokenRejected();
          return second.text();
        });
        tool('late', async () => {
          await context.session().fetch(`${API}/`);
          seen.open();
          await renewed.opened;
          await context.session().tokenRejected();
          return (await context.session().fetch(`${API}/`)).text();
        });
        tool('scoped', async () => {
          await context.session().tokenRejected({ scopes: ['notes:write'] });
          return 'never';
        });
        tool('claims', async () => {
          await context.session().tokenRejected({ claims: CLAIMS });
          return 'never';
        });
      },
    });
    return { ...server, seen, renewed };
  }

  it('renews the token, so that the tool can repeat its call', async () => {
    const { provider, call, login, status } = await start(1);
    await login();
    expect(await call('insist')).toMatchObject({ text: 'alice' });
    expect(provider.requests.token).toBe(2);
    expect((await status()).state).toBe('authenticated');
  });

  it('leads to a login if the renewed token is rejected, too, and keeps the refresh token until then', async () => {
    const { provider, call, login, status } = await start(2);
    await login();
    const rejected = {
      isError: true,
      text: expect.stringMatching(/no longer accepts the login at "provider"\. Call the `login` tool/),
    };
    expect(await call('insist')).toMatchObject(rejected);
    expect(await call('insist')).toMatchObject(rejected);
    expect(provider.requests.token).toBe(2);
    expect(await status()).toMatchObject({
      state: 'expired',
      accounts: [{ reason: 'token_rejected' }],
      next: expect.stringMatching(/no longer accepted by the API.*Call `login`/),
    });
    expect(provider.livingUsers()).toEqual(['alice']);
    expect((await login()).structured).toMatchObject({ status: 'authenticated' });
    expect(await call('insist')).toMatchObject({ text: 'alice' });
  });

  it('lets the next scheduled refresh try again, because the API may have been wrong', async () => {
    const { clock, call, login, status } = await start(2);
    await login();
    await call('insist');
    await clock.advance(10 * MINUTE);
    expect((await status()).state).toBe('authenticated');
    expect(await call('insist')).toMatchObject({ text: 'alice' });
  });

  it('ends a login without a refresh token', async () => {
    const { provider, call, login, status } = await start(1);
    provider.failNext('token', async (response) => {
      const { refresh_token: _, ...tokens } = await response.json();
      return Response.json(tokens);
    });
    await login();
    expect(await call('insist')).toMatchObject({ isError: true });
    expect(await status()).toMatchObject({
      state: 'reauthentication_required',
      accounts: [{ reason: 'token_rejected' }],
    });
  });

  it.each<[string, ProviderFault]>([
    ['cannot be reached', 'refused'],
    ['rejects the refresh', { status: 403, body: '{"error":"unauthorized_client"}' }],
  ])('says that the user can wait or log in again if the provider %s', async (_what, fault) => {
    const { clock, provider, call, login, status } = await start(1);
    await login();
    provider.failUntilMended('token', fault);
    let answer: unknown;
    void call('insist').then((result) => {
      answer = result;
    });
    // The attempts have pauses between them.
    const answered = async () => {
      await clock.advance(1000);
      return answer;
    };
    await expect.poll(answered).toMatchObject({
      isError: true,
      text: expect.stringMatching(/Try again in \d+ seconds, or call the `login` tool/),
    });
    expect((await status()).state).toBe('expired');
    expect((await call('login')).structured).toMatchObject({ status: 'pending' });
  });

  it('renews the token that the request was given, not one that another call has renewed since', async () => {
    const { provider, call, login, seen, renewed } = await start(1);
    await login();
    const late = call('late');
    await seen.opened;
    expect(await call('insist')).toMatchObject({ text: 'alice' });
    renewed.open();
    expect(await late).toMatchObject({ text: 'alice' });
    expect(provider.requests.token).toBe(2);
  });

  it('of ten calls at once causes one refresh', async () => {
    const { provider, call, login } = await start(1);
    await login();
    const answers = await Promise.all(Array.from({ length: 10 }, () => call('insist')));
    expect(answers.map(({ text }) => text)).toEqual(Array.from({ length: 10 }, () => 'alice'));
    expect(provider.requests.token).toBe(2);
  });

  it.each([
    ['scoped', 'scope', 'profile notes:write', 'This call requires the scopes ["notes:write"].'],
    ['claims', 'claims', CLAIMS, 'This call requires a stronger login.'],
  ])('leads to one login that requests what the tool demands: %s', async (tool, parameter, value, why) => {
    const { call, login, requested } = await start(0);
    await login();
    expect(await call(tool)).toMatchObject({
      isError: true,
      text: `${why} Call the \`login\` tool with provider "provider", then repeat this call.`,
    });
    await login();
    expect(requested.at(-1)?.get(parameter)).toBe(value);
    expect(await call(tool)).toMatchObject({
      isError: true,
      text: expect.stringMatching(/has what the API requires.*renew: true/),
    });
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
  });
});
