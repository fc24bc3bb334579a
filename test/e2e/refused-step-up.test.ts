import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startRenewable } from '../support/renewable-login.js';
import { ERAS, type Era } from '../support/transcribed-server.js';

const API = 'https://api.test';
const MINUTE = 60_000;
const CLAIMS = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}';
const CHALLENGES = {
  scopes: 'Bearer error="insufficient_scope", scope="notes:write"',
  claims: `Bearer error="insufficient_claims", claims="${Buffer.from(CLAIMS).toString('base64')}"`,
};

/** What the provider refuses. */
type Refusal = (request: URLSearchParams) => string | undefined;

/** The provider shows an error on a page of its own, and does not return. */
const ON_OWN_PAGE = 'on its own page';
const OWN_ERROR = 'The page of the provider says: unknown scope.';

const refusesDemands =
  (error: string): Refusal =>
  (request) =>
    request.has('claims') || request.get('scope')?.includes('notes:') ? error : undefined;

/** A server over a provider that refuses requests, and an API that demands more as long as `demands` is set. */
async function start(era: Era, initial?: Refusal) {
  const world: { refuses: Refusal; demands: keyof typeof CHALLENGES | undefined } = {
    refuses: initial ?? (() => undefined),
    demands: undefined,
  };
  const server = await startRenewable(era, {
    api: (_request, user) => {
      const { demands } = world;
      if (!demands) return new Response(user ?? '');
      const status = demands === 'scopes' ? 403 : 401;
      return new Response('no', { status, headers: { 'www-authenticate': CHALLENGES[demands] } });
    },
    tools: (tool, context) =>
      tool(
        'write',
        context.requireLogin(async () => (await context.session().fetch(`${API}/`)).text(), {
          scopes: ['notes:admin'],
        }),
      ),
  });
  const { provider, browse, call } = server;
  const respond = provider.authorizationResponse;
  provider.authorizationResponse = (url, user) => {
    const response = respond(url, user);
    const error = world.refuses(new URL(url).searchParams);
    if (error === undefined) return response;
    if (error === ON_OWN_PAGE) throw new Error(OWN_ERROR);
    response.callback.searchParams.delete('code');
    response.callback.searchParams.set('error', error);
    return response;
  };
  /** A login as a user tries it. @returns the text of the last page, if it failed */
  const attempt = async (args: Record<string, unknown> = {}) => {
    const { loginUrl } = (await call('login', args)).structured;
    return loginUrl === undefined ? undefined : browse(loginUrl).then(() => undefined, String);
  };
  return { ...server, world, attempt };
}

describe.each(ERAS)('a demand that the provider refuses (%s)', (era) => {
  it.each([
    ['scopes', 'invalid_scope', /rejected the login.*\(invalid_scope\)/],
    ['scopes', 'access_denied', /The user or the provider declined the login/],
    ['claims', 'invalid_request', /rejected the login.*\(invalid_request\)/],
    ['claims', 'server_error', /login/],
  ] as const)('is dropped, and the former login stays: %s, %s', async (demand, error, why) => {
    const { call, login, status, requested, world, attempt } = await start(era, refusesDemands(error));
    await login();
    world.demands = demand;
    expect(await call('use')).toMatchObject({ isError: true });
    expect(await attempt()).toContain('Your login from before is still valid.');
    const failed = await call('login');
    expect(failed).toMatchObject({ isError: true, text: expect.stringMatching(why) });
    expect(failed.text).toMatch(
      /The login before it is still valid\. If a call required this login, repeat that call to request it again\. Otherwise, to try again, call `login` with provider "provider" and renew: true\.$/,
    );
    expect(failed.text).not.toContain('Call `login` to try again');
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect((await status()).next).toMatch(/^Nothing\./);

    // The API demands it again.
    expect(await call('use')).toMatchObject({ isError: true });
    world.refuses = () => undefined;
    expect(await attempt()).toBeUndefined();
    expect(requested.at(-1)?.get('scope')).toContain(demand === 'scopes' ? 'notes:write' : 'profile');
    expect(requested.at(-1)?.has('claims')).toBe(demand === 'claims');
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
  });

  it('is not part of a renewal after that', async () => {
    const { call, login, requested, world, attempt } = await start(era, refusesDemands('invalid_scope'));
    await login();
    world.demands = 'scopes';
    await call('use');
    await attempt({ renew: true });
    expect((await call('login', { renew: true })).text).toContain(
      'To try again, call `login` with provider "provider" and renew: true.',
    );
    expect(await attempt({ renew: true })).toBeUndefined();
    expect(requested.at(-1)?.get('scope')).toBe('profile');
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
  });

  it('is dropped if the user saw an error at the provider, which did not return', async () => {
    const { clock, call, login, status, world, attempt } = await start(era);
    await login();
    world.demands = 'scopes';
    await call('use');
    world.refuses = () => ON_OWN_PAGE;
    expect(await attempt()).toContain('unknown scope');
    await clock.advance(10 * MINUTE);
    expect(await call('login')).toMatchObject({
      isError: true,
      text: expect.stringMatching(
        /^The login was not completed in time\. .* repeat that call to request it again/,
      ),
    });
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect((await status()).next).toMatch(/^Nothing\./);
  });

  it('stays if the user has not opened the link in time', async () => {
    const { clock, call, login, status, world } = await start(era);
    await login();
    world.demands = 'scopes';
    await call('use');
    await call('login');
    await clock.advance(10 * MINUTE);
    expect((await status()).next).toContain('An API requires the scopes ["notes:write"]');
    expect((await call('login')).structured).toMatchObject({ status: 'pending' });
  });

  it('of a tool keeps no other call from running', async () => {
    const { call, login, world, attempt } = await start(era, refusesDemands('invalid_scope'));
    await login();
    expect(await call('write')).toMatchObject({ text: expect.stringContaining('scopes ["notes:admin"]') });
    expect(await attempt({ scopes: ['notes:admin'] })).toContain('Your login from before is still valid.');
    expect((await call('login')).text).toContain('repeat that call');
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect(await call('use')).toMatchObject({ text: '200 alice' });
    world.refuses = () => undefined;
    await attempt({ scopes: ['notes:admin'] });
    expect(await call('write')).toMatchObject({ text: 'alice' });
  });
});

describe.each(ERAS)('a demand that the provider refuses in the device flow (%s)', (era) => {
  async function startDevice() {
    const server = await startRenewable(era, {
      api: () => new Response('no', { status: 403, headers: { 'www-authenticate': CHALLENGES.scopes } }),
      options: { deviceFlow: 'only' },
    });
    const { call, clock, provider } = server;
    const decide = async (how: 'approve' | 'deny' | 'expire', args: Record<string, unknown> = {}) => {
      const code = String((await call('login', args)).structured.userCode);
      if (how === 'approve') provider.approve(code, 'alice');
      else provider[how](code);
      await clock.advance(6000);
      return call('login');
    };
    await decide('approve');
    await call('use');
    return { ...server, decide };
  }

  it('is dropped if the request for the code is refused, whose error says what to do', async () => {
    const { call, provider, sent, decide, status } = await startDevice();
    const headers = { 'content-type': 'application/json' };
    provider.failNext('device', { status: 400, body: '{"error":"invalid_scope"}', headers });
    expect(await call('login')).toMatchObject({
      isError: true,
      text: expect.stringMatching(/invalid_scope.*The login before it is still valid\. If a call required/),
    });
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect((await status()).next).toMatch(/^Nothing\./);
    sent.length = 0;
    expect((await decide('approve', { renew: true })).structured).toMatchObject({ status: 'authenticated' });
    expect(sent[0]?.get('scope')).toBe('profile');
  });

  it.each([
    ['deny', 'declined'],
    ['expire', 'expired'],
  ] as const)('is dropped if the login ends so: %s', async (how, failure) => {
    const { call, decide, status, events } = await startDevice();
    await decide(how);
    expect(events).toContainEqual(expect.objectContaining({ type: 'login.failed', failure }));
    expect((await call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect((await status()).next).toMatch(/^Nothing\./);
  });
});

/** What a provider may refuse of all that a login requests besides the configured. */
const REFUSALS: readonly Refusal[] = [
  refusesDemands('invalid_scope'),
  refusesDemands('access_denied'),
  refusesDemands('server_error'),
  refusesDemands(ON_OWN_PAGE),
  (request) => (request.has('prompt') ? 'invalid_request' : undefined),
  (request) => (request.has('prompt') ? 'access_denied' : undefined),
  () => undefined,
];

describe.each(ERAS)('after any sequence of demands and refusals (%s)', (era) => {
  it('the login before is usable, and `login` leads to a login within three calls', async () => {
    const anyStep = fc.record({
      refusal: fc.integer({ min: 0, max: REFUSALS.length - 1 }),
      demand: fc.constantFrom(undefined, 'scopes', 'claims', 'tool'),
      renew: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 5 }), async (steps) => {
        const { clock, call, login, requested, world, attempt } = await start(era);
        await login();
        for (const { refusal, demand, renew } of steps) {
          world.refuses = REFUSALS[refusal] ?? (() => undefined);
          world.demands = demand === 'tool' ? undefined : demand;
          await call('use');
          await attempt({ ...(renew && { renew }), ...(demand === 'tool' && { scopes: ['notes:admin'] }) });
          await clock.advance(MINUTE);
          world.demands = undefined;
          await call('login');
          expect(await call('use')).toMatchObject({ text: '200 alice' });
        }
        await call('login');
        // The last login is pending if the provider has shown an error of its own.
        expect((await call('login', { restart: true })).structured).toMatchObject({
          status: 'authenticated',
        });
        const before = requested.length;
        const failures: unknown[] = [];
        for (let tries = 0; tries < 3; tries++) {
          const failure = await attempt({ renew: true });
          failures.push(failure);
          await clock.advance(MINUTE);
          if (failure === undefined) break;
          // Only its user knows that the provider has shown an error of its own.
          await call('login', { restart: failure.includes(OWN_ERROR) });
        }
        expect(failures.at(-1)).toBeUndefined();
        expect(requested.length).toBeGreaterThan(before);
      }),
      // The provider grants a scope, and refuses it later on a page of its own.
      {
        numRuns: 8,
        examples: [
          [
            [
              { refusal: 4, demand: 'scopes', renew: false },
              { refusal: 3, demand: undefined, renew: false },
            ],
          ],
        ],
      },
    );
  });
});
