import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import type { VerifiedLogout } from '../../access/logout-token.js';
import { SessionError } from '../../errors.js';
import { BodyMemoryLimit } from '../../http/body/body-memory-limit.js';
import type { HttpEnv } from '../../http/http-env.js';
import type { ClientKey } from '../../limits/client-key.js';
import { MapRates } from '../../store/map-rates.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { Deadlines } from '../../time/deadlines.js';
import { backChannelLogoutPath, backChannelLogoutRoutes } from './back-channel-logout.js';
import { LoginRequestLimits } from './request-limits.js';

const NAME = 'an idp/1';
const MAX_INVALID = 3;

function setUp(verify: (token: string) => Promise<VerifiedLogout>, signOutError?: Error) {
  const clock = new VirtualClock();
  const errors: unknown[] = [];
  const refused: unknown[] = [];
  const signedOut: unknown[] = [];
  const deadlines = new Deadlines(clock, (error) => void errors.push(error));
  const app = new Hono<HttpEnv>();
  app.use(async (c, next) => {
    c.set('clientKey', '203.0.113.1' as ClientKey);
    await next();
  });
  const options = {
    loginRequests: new LoginRequestLimits(
      { invalidLoginRequestsPerMinute: MAX_INVALID },
      new MapRates({ clock, deadlines }),
    ),
    bodyMemory: new BodyMemoryLimit(),
    backChannelLogout: {
      verifiers: new Map([[NAME, { verify }]]),
      signOut: async (provider: string, logout: object) => {
        if (signOutError) throw signOutError;
        signedOut.push({ provider, ...logout });
      },
      onRefused: (provider: string, reason: string) => void refused.push({ provider, reason }),
    },
    onError: (error: unknown) => void errors.push(error),
  };
  app.route('/', backChannelLogoutRoutes(options));
  const send = (token = 'token') => {
    const body = new URLSearchParams({ logout_token: token });
    return app.request(backChannelLogoutPath(NAME), { method: 'POST', body });
  };
  return { send, errors, refused, signedOut };
}

describe('the address for logout tokens', () => {
  it('signs out who the token names, and answers 200 without a body that is stored', async () => {
    const released: unknown[] = [];
    const logout = { subject: 'alice', session: 's-1' };
    const { send, signedOut } = setUp(async () => ({ logout, release: () => void released.push(1) }));
    const response = await send();
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(signedOut).toEqual([{ provider: NAME, ...logout }]);
    expect(released).toEqual([]);
  });

  it('limits invalid tokens of an address, and never valid ones [security 40]', async () => {
    const { send, refused } = setUp(async (token) =>
      token === 'good' ? { logout: { subject: 'alice' }, release: () => undefined } : { fault: 'signature' },
    );
    const statuses: number[] = [];
    for (let count = 0; count < MAX_INVALID + 1; count++) statuses.push((await send('bad')).status);
    expect(statuses).toEqual([400, 400, 400, 429]);
    expect((await send('bad')).headers.get('retry-after')).toMatch(/^\d+$/);
    expect((await send('good')).status).toBe(200);
    expect(refused[0]).toEqual({ provider: NAME, reason: 'signature' });
  });

  it('answers 503 if the sign-out fails, and lets the provider send the token again', async () => {
    const released: unknown[] = [];
    const { send, errors } = setUp(
      async () => ({ logout: { subject: 'alice' }, release: () => void released.push(1) }),
      new SessionError('store_unavailable', 'The store is down.'),
    );
    const response = await send();
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('60');
    expect(released).toEqual([1]);
    expect(errors).toMatchObject([{ code: 'store_unavailable' }]);
  });

  it('answers 503 while the keys of the provider are not available', async () => {
    const { send, refused } = setUp(async () => {
      throw new SessionError('provider_unavailable', 'No keys.');
    });
    expect((await send()).status).toBe(503);
    expect(refused).toEqual([]);
  });
});
