import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../limits/limits.js';
import type { SessionsOptions } from './options.js';
import { sessionsSettings } from './settings.js';

const provider = { issuer: 'https://id.example.com', clientId: 'test' };
const options: SessionsOptions = {
  server: { name: 'test', version: '1.0.0' },
  tools: () => undefined,
  providers: provider,
};

/** A file of that size that begins as a WebP picture. */
const logoOf = (bytes: number) => {
  const picture = Buffer.alloc(bytes);
  picture.write('RIFF....WEBP');
  return `data:image/webp;base64,${picture.toString('base64')}`;
};

describe('the options of createSessions', () => {
  it('have defaults, which also replace undefined [security 35]', () => {
    const settings = sessionsSettings({
      ...options,
      lifetimes: { idleMs: undefined as never, absoluteMs: 5000 },
    });
    expect(settings.lifetimes).toMatchObject({
      idleMs: 30 * 60_000,
      absoluteMs: 5000,
      disconnectGraceMs: 120_000,
      loginAttemptMs: 600_000,
      connectionTtlMs: 24 * 3_600_000,
      shutdownDrainMs: 10_000,
    });
    expect(settings.limits).toEqual(DEFAULT_LIMITS);
  });

  it('raise the default limit of connections with that of sessions [security 39]', () => {
    const many = sessionsSettings({ ...options, limits: { maxSessions: 100_000 } }).limits;
    expect([many.connections, many.anonymousSessions]).toEqual([200_000, 15_000]);
    const limits = { connections: 5, connectionsPerAddress: undefined as never };
    expect(sessionsSettings({ ...options, limits }).limits).toEqual({ ...DEFAULT_LIMITS, connections: 5 });
  });

  it('are required', () => {
    // From code without types.
    expect(() => sessionsSettings(undefined as never)).toThrow('The options are invalid');
  });

  it('keep the server information as it is, with values that the library does not check', () => {
    const server = { ...options.server, description: 'A test', requestState: { verify: () => undefined } };
    expect(sessionsSettings({ ...options, server }).server).toBe(server);
  });

  it('accept a logger that is an instance of a class', () => {
    class QuietLogger {
      debug() {}
      info() {}
      warn() {}
      error() {}
    }
    expect(() => sessionsSettings({ ...options, logger: new QuietLogger() })).not.toThrow();
  });

  it('use the title of the server, or its name, without a branding', () => {
    const branding = { name: ' Acme Notes ', logo: 'data:image/png;base64,iVBORw0KGgo=' };
    const { server } = options;
    expect(sessionsSettings(options).brand).toEqual({ name: 'test' });
    expect(sessionsSettings({ ...options, server: { ...server, title: 'Test' } }).brand.name).toBe('Test');
    expect(sessionsSettings({ ...options, branding }).brand).toEqual({ ...branding, name: 'Acme Notes' });
  });

  it('accept a logo of 64 KiB', () => {
    expect(sessionsSettings({ ...options, branding: { logo: logoOf(65_536) } }).brand.logo).toBe(
      logoOf(65_536),
    );
  });

  it.each<[string, Partial<SessionsOptions>]>([
    ['at most 64 KiB', { branding: { logo: logoOf(65_537) } }],
    ['branding.logo', { branding: { logo: 'https://acme.example/logo.png' } }],
    ['branding.logo', { branding: { logo: 'data:image/jpeg;base64,AAAA' } }],
    ['branding.logo', { branding: { logo: 'data:text/html;base64,AAAA' } }],
    ['branding.logo', { branding: { logo: 'data:image/png;base64,' } }],
    ['branding.logo', { branding: { logo: 'data:image/svg+xml;base64,AA"><script>' } }],
    ['branding.name', { branding: { name: ' ' } }],
    ['branding.name', { branding: { name: 'x'.repeat(81) } }],
    ['unknown option `title`; the options are name, logo', { branding: { title: 'Acme' } as never }],
    ['idleMs', { lifetimes: { idleMs: -5 } }],
    ['absoluteMs', { lifetimes: { absoluteMs: Number.NaN } }],
    ['maxSessions', { limits: { maxSessions: 0 } }],
    ['loginStartsPerMinute', { limits: { loginStartsPerMinute: 0 } }],
    ['pendingLogins', { limits: { pendingLogins: 1.5 } }],
    ['must be a whole number, at least 1', { limits: { connections: '5' as never } }],
    ['unknown option `provider`; did you mean `providers`?', { provider } as never],
    ['unknown option `limit`; did you mean `limits`?', { limit: {} } as never],
    ['did you mean `loginStartsPerMinute`?', { limits: { loginsPerMinute: 5 } as never }],
    ['unknown option `users`; the options are maxSessions', { limits: { users: 5 } as never }],
    ['unknown option `idleMS`; did you mean `idleMs`?', { lifetimes: { idleMS: 5 } as never }],
    ['unknown option `store`; the options are clock, random, fetch', { runtime: { store: {} } as never }],
    ['unknown option `scope`; did you mean `scopes`?', { providers: { ...provider, scope: [] } as never }],
    [
      'unknown option `audiences`; did you mean `audience`?',
      { access: { issuer: provider.issuer, audiences: [] } as never },
    ],
    ['at tools', { tools: [] as never }],
    ['at providers', { providers: undefined as never }],
    [
      'unknown option `instuctions`; did you mean `instructions`?',
      { server: { ...options.server, instuctions: 'x' } as never },
    ],
    ['at server.version', { server: { name: 'test' } as never }],
    ['at server.name', { server: { ...options.server, name: '' } }],
    ['must have the methods debug, info, warn, error', { logger: { info: () => undefined } as never }],
    ['"proxy" in `trustedProxies`', { trustedProxies: ['proxy'] }],
    ['must be at most 1,000,000', { limits: { maxSessions: 1_000_001 } }],
    ['allowedOrigins', { allowedOrigins: ['https://app.example.com/page'] }],
    ['allowedHosts', { allowedHosts: ['mcp.example.com:443'] }],
    ['not a valid `publicUrl`', { publicUrl: 'http://mcp.example.com' }],
    ['not a valid `publicUrl`', { publicUrl: 'https://mcp.example.com/path?query' }],
    ['not a valid `publicUrl`', { publicUrl: 'https://mcp.example.com/#fragment' }],
    ['not a valid `publicUrl`', { publicUrl: 'https://user@mcp.example.com/' }],
    ['not a valid `publicUrl`', { publicUrl: 'https://mcp.example.com/a%20b' }],
    ['not a valid `publicUrl`', { publicUrl: 'https://mcp.example.com//api' }],
    ['`providers` is empty', { providers: [] }],
    ['have the name "id.example.com"', { providers: [provider, provider] }],
    ['apiOrigins', { providers: { ...provider, apiOrigins: ['https://api.example.com/v1'] } }],
    ['differ by a slash', { access: { issuer: 'https://id.example.com/' } }],
    ['scope `openid`', { providers: { ...provider, scopes: ['read'] }, access: { issuer: provider.issuer } }],
    [
      '`identitySource`',
      { providers: { ...provider, identitySource: 'user_info' }, access: { issuer: provider.issuer } },
    ],
    ['`nonce`', { providers: { ...provider, nonce: 'off' }, access: { issuer: provider.issuer } }],
    ['must use https', { access: { issuer: 'http://id.example.com' } }],
    ['open-to-network', { publicUrl: 'https://mcp.example.com' }],
    ['must use https', { providers: { ...provider, issuer: 'http://id.example.com' } }],
    ['authorizationParams', { providers: { ...provider, authorizationParams: { state: 'x' } } }],
  ])('are refused if they are invalid, with a message that names the option: %s', (what, wrong) => {
    expect(() => sessionsSettings({ ...options, ...wrong })).toThrow(what);
  });
});
