import { describe, expect, it } from 'vitest';
import { startLogins } from '../support/direct-logins.js';

describe('a login with additional scopes', () => {
  it('requests them besides the configured ones, and the account has them', async () => {
    const { start, logIn, grantedScopes } = await startLogins();
    const { loginUrl } = await start({ scopes: ['profile', 'openid'] });
    expect(await logIn(loginUrl)).toEqual(['openid', 'profile']);
    expect(await grantedScopes()).toEqual(['openid', 'profile']);
  });

  it('requests no scopes of an earlier login by itself', async () => {
    const { start, logIn } = await startLogins();
    await logIn((await start({ scopes: ['profile'] })).loginUrl);
    const requested = await logIn((await start({ scopes: ['offline_access'] })).loginUrl);
    expect(requested).toEqual(['openid', 'offline_access']);
  });

  it('supersedes a pending login without them, and is the pending one for fewer', async () => {
    const { start, logIn } = await startLogins();
    const plain = await start();
    const wide = await start({ scopes: ['profile'] });
    expect(wide).toMatchObject({ isNew: true });
    expect(wide.loginUrl).not.toBe(plain.loginUrl);
    expect(await start({ scopes: ['openid'] })).toMatchObject({ isNew: false, loginUrl: wide.loginUrl });
    expect(await start()).toMatchObject({ isNew: false, loginUrl: wide.loginUrl });
    await expect(logIn(plain.loginUrl)).rejects.toThrow('not pending');
  });

  it('is a login with the configured scopes if there are no others', async () => {
    const { start, logIn } = await startLogins();
    expect(await logIn((await start()).loginUrl)).toEqual(['openid']);
  });
});
