import { describe, expect, it } from 'vitest';
import { register, registrationIn } from './client-registration.js';

const LOOPBACK = 'http://127.0.0.1:41234/callback';

describe('the registration of a client on this machine', () => {
  it.each([LOOPBACK, 'http://localhost:8080/oauth/callback', 'http://[::1]:1/cb'])(
    'that comes back to %s is in its id, and is read from there by a provider that has never seen it',
    (uri) => {
      const id = register({ redirect_uris: [uri], client_name: 'Codex' });
      expect(registrationIn(id)).toEqual({
        client_id: id,
        client_name: 'Codex',
        redirect_uris: [uri],
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      });
    },
  );

  it('that comes back elsewhere as well has its addresses of this machine in its id, and is public', () => {
    const metadata = {
      redirect_uris: ['cursor://oauth/callback', 'https://app.example/callback', LOOPBACK],
      client_name: 'x'.repeat(1000),
    };
    const id = register(metadata);
    expect(metadata).toMatchObject({ application_type: 'native', token_endpoint_auth_method: 'none' });
    expect(registrationIn(id)).toMatchObject({ redirect_uris: [LOOPBACK], client_name: 'x'.repeat(100) });
  });

  it('gets a new id each time, so that two installations are two clients', () => {
    const metadata = { redirect_uris: [LOOPBACK] };
    expect(register({ ...metadata })).not.toBe(register({ ...metadata }));
  });

  it('always becomes a public client without scopes', () => {
    const metadata = {
      redirect_uris: [LOOPBACK],
      scope: 'mcp unknown',
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: ['authorization_code'],
    };
    register(metadata);
    expect(metadata).toMatchObject({
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
    });
    expect(metadata).not.toHaveProperty('scope');
  });

  it.each([
    ['elsewhere', { redirect_uris: ['https://app.example/callback'] }],
    ['to an app by a private-use scheme', { redirect_uris: ['cursor://oauth/callback'] }],
    ['to a host that looks like loopback', { redirect_uris: ['http://127.0.0.1.evil.example/cb'] }],
    ['to a user at another host', { redirect_uris: ['http://127.0.0.1@evil.example/cb'] }],
    ['nowhere', { redirect_uris: [] }],
    ['to more than an id can hold', { redirect_uris: [`${LOOPBACK}?${'x'.repeat(1000)}`] }],
  ])('that comes back %s is not in its id', (_where, metadata) => {
    const id = register({ ...metadata });
    expect(id).toMatch(/^[\w-]{22}$/);
    expect(registrationIn(id)).toBeUndefined();
  });

  const idOf = (content: unknown) => `mcp.${Buffer.from(JSON.stringify(content)).toString('base64url')}`;
  it.each([
    'mcp.',
    'mcp.e30',
    'mcp.!!!',
    'unknown',
    idOf(null),
    idOf({ redirect_uris: ['https://evil.example/cb'] }),
    idOf({ redirect_uris: ['javascript:alert(1)'] }),
    idOf({ redirect_uris: [LOOPBACK, 'https://evil.example/cb'] }),
    idOf({ redirect_uris: [LOOPBACK], client_name: 'x'.repeat(101) }),
    `${idOf({ redirect_uris: [LOOPBACK] })}${'A'.repeat(1024)}`,
  ])('is none in the id %s', (id) => {
    expect(registrationIn(id)).toBeUndefined();
  });
});
