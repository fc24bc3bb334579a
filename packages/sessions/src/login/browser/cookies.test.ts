import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import type { HttpEnv } from '../../http/http-env.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { KeyHierarchy } from '../../vault/key-hierarchy.js';
import { systemRandom } from '../../vault/random.js';
import { LoginCookies } from './cookies.js';

/** A server with one route for each method of its cookies. */
function startCookies(publicUrl = 'http://127.0.0.1:3000/notes/') {
  const keys = new KeyHierarchy(systemRandom(32));
  const clock = new VirtualClock();
  const cookies = new LoginCookies({
    keys,
    clock,
    publicUrl: () => new URL(publicUrl),
    loginAttemptMs: 600_000,
  });
  const app = new Hono<HttpEnv>();
  app.get('/keep/:id/:code', (c) => {
    cookies.keepCode(c, c.req.param('id'), c.req.param('code'));
    return c.body(null);
  });
  app.get('/code/:id', (c) => c.json(cookies.code(c, c.req.param('id')) ?? null));
  app.get('/complete/:account', (c) => {
    const clientName = c.req.query('client');
    cookies.keepCompleted(c, { kind: 'authenticated', account: c.req.param('account'), clientName });
    return c.body(null);
  });
  app.get('/completed', (c) => c.json(cookies.takeCompleted(c) ?? null));

  const set = async (path: string) => {
    const [line = ''] = (await app.request(path)).headers.getSetCookie();
    const [, name = '', value = '', attributes = ''] = /^([^=]+)=([^;]*); (.*)$/.exec(line) ?? [];
    return { name, value, attributes };
  };
  const get = async (path: string, cookie: { readonly name: string; readonly value: string }) => {
    const response = await app.request(path, { headers: { cookie: `${cookie.name}=${cookie.value}` } });
    return { value: await response.json(), setCookie: response.headers.getSetCookie() };
  };
  return { clock, set, get };
}

describe('the cookie of a confirmation code', () => {
  it('returns the code of its login', async () => {
    const { set, get } = startCookies();
    const cookie = await set('/keep/one/AAAA-AAAA');
    expect(cookie.attributes).toBe('Max-Age=300; Path=/notes/; HttpOnly; SameSite=Lax');
    expect((await get('/code/one', cookie)).value).toBe('AAAA-AAAA');
  });

  it('has the __Host- prefix over https [security 11]', async () => {
    const { set, get } = startCookies('https://notes.example.com/');
    const cookie = await set('/keep/one/AAAA-AAAA');
    expect(cookie.name).toMatch(/^__Host-mcp-login-code-/);
    expect(cookie.attributes).toBe('Max-Age=300; Path=/; HttpOnly; Secure; SameSite=Lax');
    expect((await get('/code/one', cookie)).value).toBe('AAAA-AAAA');
  });

  it('returns no code with a signature of another code, login, kind of cookie or server', async () => {
    const { set, get } = startCookies();
    const own = await set('/keep/one/AAAA-AAAA');
    const forgeries = [
      own.value.replace('AAAA-AAAA', 'BBBB-BBBB'),
      own.value.replace(/\..*/, ''),
      (await set('/keep/another/AAAA-AAAA')).value,
      (await set('/complete/alice')).value,
      (await startCookies().set('/keep/one/AAAA-AAAA')).value,
    ];
    for (const value of forgeries) expect((await get('/code/one', { ...own, value })).value).toBeNull();
  });
});

describe('the cookie of a completed login', () => {
  it('returns names in any script once, and is deleted', async () => {
    const { set, get } = startCookies();
    const cookie = await set(`/complete/${encodeURIComponent('Ünï; "名前"')}?client=.`);
    const { value, setCookie } = await get('/completed', cookie);
    expect(value).toEqual({ account: 'Ünï; "名前"', clientName: '.' });
    expect(setCookie).toEqual([expect.stringContaining(`${cookie.name}=; Max-Age=0; Path=/notes/;`)]);
  });

  it('returns no names after a minute, also to a browser that keeps it longer', async () => {
    const { clock, set, get } = startCookies();
    const cookie = await set('/complete/alice');
    await clock.advance(59_999);
    expect((await get('/completed', cookie)).value).toEqual({ account: 'alice' });
    await clock.advance(1);
    expect((await get('/completed', cookie)).value).toBeNull();
  });

  it('returns no names without its own signature', async () => {
    const { set, get } = startCookies();
    const own = await set('/complete/alice');
    const code = await set('/keep/one/%7B%7D');
    for (const value of [own.value.replace('alice', 'mallory'), code.value, 'x']) {
      const answer = await get('/completed', { ...own, value });
      expect(answer.value).toBeNull();
    }
  });
});
