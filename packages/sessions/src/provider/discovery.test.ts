import { type CustomFetch, customFetch } from 'openid-client';
import { describe, expect, it } from 'vitest';
import { discover } from './discovery.js';
import type { ProviderOptions } from './provider-options.js';
import { providerSettings } from './provider-settings.js';

const ISSUER = 'https://id.test/tenant';
const OPENID = 'https://id.test/tenant/.well-known/openid-configuration';
const OAUTH = 'https://id.test/.well-known/oauth-authorization-server/tenant';
const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: 'https://id.test/authorize',
  token_endpoint: 'https://id.test/token',
  code_challenge_methods_supported: ['S256'],
};

type Answer = () => Response;

const text =
  (type: string, status: number, body: string): Answer =>
  () =>
    new Response(body, { status, headers: { 'content-type': type } });
const page: Answer = text('text/html', 200, '<!doctype html>');
const metadata: Answer = () => Response.json(METADATA);
const status = (code: number): Answer => text('text/plain', code, 'no');

/** Discovers a provider whose addresses answer like this. */
function discovered(answers: Readonly<Record<string, Answer>>, options: Partial<ProviderOptions> = {}) {
  const requested: string[] = [];
  const call: CustomFetch = async (url) => {
    requested.push(url);
    return (answers[url] ?? status(404))();
  };
  const settings = providerSettings({ name: 'idp', issuer: ISSUER, clientId: 'client', ...options });
  return { configuration: discover(settings, call, []), requested };
}

describe('discovery', () => {
  it.each<[string, Answer]>([
    ['a web page', page],
    ['500', status(500)],
    ['502', status(502)],
    ['404', status(404)],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: '/' } })],
    ['JSON that is no metadata', () => Response.json({ error: 'not found' })],
    [
      'a connection that breaks',
      () => {
        throw new TypeError('terminated');
      },
    ],
  ])('finds the metadata of RFC 8414 although the address of OpenID answers %s', async (_what, answer) => {
    const { configuration, requested } = discovered({ [OPENID]: answer, [OAUTH]: metadata });
    expect((await configuration).serverMetadata()).toMatchObject(METADATA);
    expect(requested).toEqual([OPENID, OAUTH]);
  });

  it('leaves fields with names of metadata in later responses as they are', async () => {
    const user = { sub: 'alice', issuer: 'a team', scopes_supported: 'all' };
    const address = 'https://id.test/userinfo';
    const { configuration } = discovered({ [OPENID]: metadata, [address]: () => Response.json(user) });
    const send = (await configuration)[customFetch];
    const response = await send?.(address, { method: 'GET', headers: {}, redirect: 'manual', body: null });
    expect(await response?.json()).toEqual(user);
  });

  it('requests the given address only if the issuer is the address of the metadata', async () => {
    const { configuration, requested } = discovered({ [OAUTH]: metadata }, { issuer: OAUTH });
    expect((await configuration).serverMetadata().issuer).toBe(ISSUER);
    expect(requested).toEqual([OAUTH]);
  });

  it.each<[string, Answer, Answer, object]>([
    ['two pages', page, page, { reason: 'discovery_failed', status: 200 }],
    ['no metadata, then nothing', () => Response.json({}), status(404), { reason: 'metadata_invalid' }],
    ['nothing, then no metadata', status(404), () => Response.json({}), { reason: 'metadata_invalid' }],
    [
      'nothing, then an outage',
      status(404),
      status(503),
      { reason: 'provider_busy', outcome: 'unavailable' },
    ],
    [
      'an outage, then nothing',
      status(503),
      status(404),
      { reason: 'provider_busy', outcome: 'unavailable' },
    ],
    [
      'nothing twice',
      status(404),
      status(403),
      { reason: 'discovery_failed', status: 404, outcome: 'refused' },
    ],
    [
      'nothing, then another issuer',
      status(404),
      () => Response.json({ ...METADATA, issuer: `${ISSUER}/` }),
      { reason: 'issuer_mismatch', expected: ISSUER, received: `${ISSUER}/` },
    ],
  ])(
    'that finds %s fails for the most telling reason, and lists what each address answered',
    async (_what, openid, oauth, failure) => {
      const { configuration } = discovered({ [OPENID]: openid, [OAUTH]: oauth });
      const error: unknown = await configuration.catch((reason: unknown) => reason);
      expect(error).toMatchObject({ failure: { step: 'discovery', ...failure } });
      expect(error).toMatchObject({ failure: { attempts: [{ endpoint: OPENID }, { endpoint: OAUTH }] } });
    },
  );

  it('says what was answered in a few words', async () => {
    const refusing = { [OPENID]: page, [OAUTH]: status(401) };
    await expect(discovered(refusing).configuration).rejects.toMatchObject({
      failure: {
        attempts: [
          { endpoint: OPENID, answered: '200 text/html' },
          { endpoint: OAUTH, answered: '401 text/plain' },
        ],
      },
    });
  });

  it.each<[string, Answer, string]>([
    [
      'another issuer is found',
      () => Response.json({ ...METADATA, issuer: 'https://id.test' }),
      '200 application/json',
    ],
    [
      'the host cannot be reached',
      () => {
        throw new TypeError('fetch failed', { cause: Object.assign(new Error('no'), { code: 'ENOTFOUND' }) });
      },
      'ENOTFOUND',
    ],
    [
      'the host does not respond',
      () => {
        throw new DOMException('too late', 'TimeoutError');
      },
      'timeout',
    ],
  ])('ends when %s, because the other address would not help', async (_when, answer, answered) => {
    const { configuration, requested } = discovered({ [OPENID]: answer, [OAUTH]: metadata });
    await expect(configuration).rejects.toMatchObject({
      failure: { attempts: [{ endpoint: OPENID, answered }] },
    });
    expect(requested).toEqual([OPENID]);
  });

  it.each([
    'authorization_endpoint',
    'token_endpoint',
    'userinfo_endpoint',
    'revocation_endpoint',
    'device_authorization_endpoint',
    'pushed_authorization_request_endpoint',
    'introspection_endpoint',
    'jwks_uri',
  ])(
    'refuses metadata with an http address as `%s`, and names the address without its query',
    async (name) => {
      const insecure = () => Response.json({ ...METADATA, [name]: 'http://id.test/here?key=secret' });
      await expect(discovered({ [OPENID]: insecure }).configuration).rejects.toMatchObject({
        code: 'provider_refused',
        failure: { reason: 'endpoint_insecure', endpoint: 'http://id.test/here' },
      });
    },
  );

  it.each(['data:,', 'file:///etc/hosts', 'javascript:alert(1)', 'ftp://id.test/'])(
    'refuses metadata with the address %s',
    async (address) => {
      const insecure = () => Response.json({ ...METADATA, revocation_endpoint: address });
      await expect(discovered({ [OPENID]: insecure }).configuration).rejects.toMatchObject({
        failure: { reason: 'endpoint_insecure' },
      });
    },
  );

  it('allows http on loopback if the issuer is there, too, and nowhere else', async () => {
    const issuer = 'http://127.0.0.1:9000';
    const at = (token: string) => () => Response.json({ ...METADATA, issuer, token_endpoint: token });
    const address = `${issuer}/.well-known/openid-configuration`;
    const here = discovered({ [address]: at(`${issuer}/token`) }, { issuer });
    await expect(here.configuration).resolves.toBeDefined();
    const elsewhere = discovered({ [address]: at('http://id.test/token') }, { issuer });
    await expect(elsewhere.configuration).rejects.toMatchObject({ failure: { reason: 'endpoint_insecure' } });
  });
});
