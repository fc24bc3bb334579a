import { describe, expect, it } from 'vitest';
import { startRenewable } from '../support/renewable-login.js';
import { ERAS } from '../support/transcribed-server.js';

const DOMAIN = 'my.salesforce.com';

/** A login whose token answer has an `instance_url`, and a tool that calls it. */
async function start(era: (typeof ERAS)[number], instanceUrl: string, called = instanceUrl) {
  const sent: (string | null)[] = [];
  const server = await startRenewable(era, {
    options: {
      tokenFields: ['instance_url'],
      apiOriginField: { field: 'instance_url', domains: [DOMAIN] },
    },
    elsewhere: async (input, init) => {
      sent.push(new Request(input, init).headers.get('authorization'));
      return new Response('records');
    },
    tools: (tool, context) => {
      tool('query', async () => {
        const session = context.session();
        const response = await session.fetch(new URL('/services/data', called));
        return `${response.status} ${await response.text()}`;
      });
      tool('fields', async () => JSON.stringify((await context.session().account())?.fields ?? {}));
    },
  });
  server.provider.failUntilMended('token', async (response) =>
    Response.json({ ...(await response.json()), instance_url: instanceUrl }),
  );
  await server.login();
  return { ...server, sent };
}

describe.each(ERAS)('an API origin from the token answer (%s)', (era) => {
  it('gets the token of its user, also after a refresh, and tools see the field', async () => {
    const { call, clock, sent, provider } = await start(era, `https://acme.${DOMAIN}/some/path`);
    expect(await call('query')).toMatchObject({ text: '200 records' });
    expect(JSON.parse((await call('fields')).text)).toEqual({
      instance_url: `https://acme.${DOMAIN}/some/path`,
    });
    await clock.advance(11 * 60_000);
    expect(await call('query')).toMatchObject({ text: '200 records' });
    expect(sent).toEqual([expect.stringMatching(/^Bearer /), expect.stringMatching(/^Bearer /)]);
    expect(provider.requests.token).toBe(2);
  });

  it('is that of this user only: another host of the domain gets no token', async () => {
    const { call, sent } = await start(era, `https://acme.${DOMAIN}`, `https://other.${DOMAIN}`);
    expect(await call('query')).toMatchObject({
      isError: true,
      text: expect.stringMatching(/No access token is sent/),
    });
    expect(sent).toEqual([]);
  });

  it.each([
    ['another domain that begins with an allowed one', `https://evil.${DOMAIN}.evil.test`],
    ['a domain that ends like an allowed one', `https://evil${DOMAIN}`],
    ['http', `http://acme.${DOMAIN}`],
    ['a port', `https://acme.${DOMAIN}:8443`],
    ['a user', `https://acme@evil.${DOMAIN}`],
    ['an allowed domain as the user', `https://acme.${DOMAIN}@evil.test`],
    ['a letter that looks alike', 'https://acme.my.ѕalesforce.com'],
    ['a dot at the end', `https://acme.${DOMAIN}.`],
    ['an IP address', 'https://127.0.0.1'],
    ['another scheme', `ftp://acme.${DOMAIN}`],
  ])('is refused with %s [security 47]', async (_what, instanceUrl) => {
    const { call, sent, events } = await start(era, instanceUrl);
    expect(await call('query')).toMatchObject({ isError: true });
    expect(sent).toEqual([]);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'account.nonconforming_answer', nonconformance: 'api_origin_refused' }),
    );
  });
});
