import { describe, expect, it } from 'vitest';
import { type AccessOptions, accessSettings, isBearer } from './access-options.js';

const ISSUER = 'https://auth.example.com';
const REGISTRATION = { clientId: 'mcp', clientSecret: 'secret' };

describe('access', () => {
  it('admits requests of this machine by default [security 43]', () => {
    expect(accessSettings()).toBe('open');
    expect(accessSettings('open-to-network')).toBe('open-to-network');
    expect(isBearer(accessSettings())).toBe(false);
  });

  it('by bearer token requires an issuer only', () => {
    const settings = accessSettings({ issuer: ISSUER });
    expect(settings).toEqual({ issuer: ISSUER, requiredScopes: [], subjectClaim: 'sub' });
    expect(isBearer(settings)).toBe(true);
  });

  it('by bearer token accepts every option', () => {
    const options: AccessOptions = {
      issuer: ISSUER,
      audience: 'https://mcp.example.com/mcp',
      requiredScopes: ['mcp', 'notes:read'],
      introspection: REGISTRATION,
      subjectClaim: 'oid',
      signIn: { clientId: 'public' },
    };
    expect(accessSettings(options)).toEqual(options);
  });

  it.each(['http://127.0.0.1:4000', 'http://[::1]:4000', 'http://localhost:4000'])(
    'accepts an issuer at %s without https, because it is on loopback',
    (issuer) => {
      expect(accessSettings({ issuer })).toMatchObject({ issuer });
    },
  );

  it.each<[what: string, options: unknown, message: RegExp]>([
    ['another word', 'closed', /open/],
    ['no issuer', {}, /issuer/],
    ['an issuer that is no address', { issuer: 'auth' }, /issuer/],
    ['an issuer of another scheme', { issuer: 'ftp://auth.example.com' }, /issuer/],
    ['an issuer over http that is not on loopback', { issuer: 'http://auth.example.com' }, /must use https/],
    ['an empty audience', { issuer: ISSUER, audience: '' }, /audience/],
    ['two scopes in one', { issuer: ISSUER, requiredScopes: ['a b'] }, /is not a scope/],
    ['a scope with a quotation mark', { issuer: ISSUER, requiredScopes: ['a"'] }, /is not a scope/],
    ['no secret for introspection', { issuer: ISSUER, introspection: { clientId: 'mcp' } }, /clientSecret/],
    ['an empty secret', { issuer: ISSUER, signIn: { clientId: 'mcp', clientSecret: '' } }, /clientSecret/],
    ['an empty subject claim', { issuer: ISSUER, subjectClaim: '' }, /subjectClaim/],
    ['an unknown option', { issuer: ISSUER, audiences: [] }, /audiences/],
  ])('is refused with %s, and the message names it', (_what, options, message) => {
    const wrong = () => accessSettings(options as AccessOptions);
    expect(wrong).toThrow(expect.objectContaining({ code: 'configuration' }));
    expect(wrong).toThrow(/^`access` is invalid: /);
    expect(wrong).toThrow(message);
  });
});
