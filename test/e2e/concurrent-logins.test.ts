import { describe, expect, it } from 'vitest';
import { startLogins } from '../support/direct-logins.js';
import { portsWith } from '../support/ports-with.js';

describe('calls at the same time', () => {
  it('start one login', async () => {
    const { start } = await startLogins();
    const started = await Promise.all(Array.from({ length: 10 }, () => start()));
    expect(new Set(started.map(({ loginUrl }) => loginUrl)).size).toBe(1);
    expect(started.filter(({ isNew }) => isNew)).toHaveLength(1);
  });

  it('redeem an authorization response once [security 12]', async () => {
    const { logins, start, authorize, grantedScopes } = await startLogins();
    const { response } = await authorize((await start()).loginUrl);
    const results = await Promise.all(
      Array.from({ length: 5 }, () => logins.browserFlow.handleCallback(response)),
    );
    const kinds = results.map(({ kind }) => kind).sort();
    expect(kinds).toEqual(['authenticated', 'rejected', 'rejected', 'rejected', 'rejected']);
    expect(await grantedScopes()).toEqual(['openid']);
  });

  it('wait for the same login, and all see its end', async () => {
    const { logins, record, start, logIn } = await startLogins();
    const { loginUrl } = await start();
    const { signal } = new AbortController();
    const waits = Array.from({ length: 5 }, () =>
      logins.waitUntilSettled(record.ref, 'sample', 60_000, signal),
    );
    await logIn(loginUrl);
    const authenticated = { kind: 'authenticated' };
    expect(await Promise.all(waits)).toEqual(Array.from({ length: 5 }, () => authenticated));
  });

  it('see the end of a login that ends as they begin to wait', async () => {
    let meanwhile = async () => {};
    const createPorts = portsWith(({ attempts }) => {
      const latest = attempts.latest.bind(attempts);
      attempts.latest = async (...given) => {
        const found = await latest(...given);
        await meanwhile();
        return found;
      };
      return { attempts };
    });
    const { logins, record, start } = await startLogins(createPorts);
    await start();
    meanwhile = () => logins.cancel(record.ref);
    const { signal } = new AbortController();
    expect(await logins.waitUntilSettled(record.ref, 'sample', 60_000, signal)).toMatchObject({
      failure: 'signed_out',
    });
  });
});
