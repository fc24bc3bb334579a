import { describe, expect, expectTypeOf, it } from 'vitest';
import type { ProviderOptions } from '../provider/provider-options.js';
import { providerSettings } from '../provider/provider-settings.js';
import * as entry from './index.js';
import { entra, github, keycloak, PRESETS, type PresetName, type PresetOptions } from './index.js';

const { PRESETS: _all, ...makers } = entry;
const NAMES = Object.keys(PRESETS) as PresetName[];
const registration = { clientId: 'id', clientSecret: 'secret' };
/** What an operator writes: what the preset needs, and nothing else. */
const complete = (name: PresetName): PresetOptions => ({
  clientId: 'id',
  ...Object.fromEntries(
    PRESETS[name].needs.map((need) => [need, need === 'issuer' ? 'https://issuer.test/tenant' : 'secret']),
  ),
});

describe('a preset', () => {
  it.each(NAMES)('%s makes valid options of what it needs', (name) => {
    const options = makers[name](complete(name));
    expect(options).toMatchObject({ ...PRESETS[name].options, ...complete(name) });
    expect(() => providerSettings(options)).not.toThrow();
  });

  it.each(NAMES)(
    '%s has a display name, the public sources of its settings and the day of their comparison',
    (name) => {
      const { options, compared, links } = PRESETS[name];
      expect(options.name).toBe(name);
      expect(options.displayName).toMatch(/^[A-Z]/);
      expect(new Date(compared).toISOString()).toBe(`${compared}T00:00:00.000Z`);
      expect(links.length).toBeGreaterThan(1);
      for (const link of links) expect(new URL(link).protocol).toBe('https:');
    },
  );

  it.each(NAMES.flatMap((name) => PRESETS[name].needs.map((need) => [name, need] as const)))(
    '%s names the option %s if it is missing',
    (name, need) => {
      const { [need]: _, ...rest } = complete(name);
      expect(() => makers[name](rest as PresetOptions)).toThrow(
        expect.objectContaining({
          code: 'configuration',
          message: expect.stringContaining(`\`${name}\` needs the option \`${need}\``),
        }),
      );
    },
  );

  it('shows the form of an issuer that is missing', () => {
    expect(() => keycloak({ clientId: 'id' })).toThrow('such as https://<host>/realms/<realm>.');
  });

  it('is replaced option by option, and keeps what is undefined', () => {
    const options = github({ ...registration, scopes: ['repo'], displayName: undefined });
    expect(options).toMatchObject({ scopes: ['repo'], displayName: 'GitHub', pkce: 'S256' });
  });

  it('gives way to `revoke`', () => {
    const revoke = () => Promise.resolve();
    for (const options of [github({ ...registration, revoke }), entry.slackBot({ ...registration, revoke })])
      expect(providerSettings(options)).toMatchObject({ revoke, revocation: 'token' });
  });

  it('has its own name, and the type of a name that is given', () => {
    expectTypeOf(github(registration)).toEqualTypeOf<ProviderOptions<'github'>>();
    const work = entra({ ...registration, name: 'work', issuer: 'https://login.microsoftonline.com/t/v2.0' });
    expectTypeOf(work).toEqualTypeOf<ProviderOptions<'work'>>();
    expect([github(registration).name, work.name]).toEqual(['github', 'work']);
  });

  it('gives up PKCE or the nonce for confidential clients of these providers only', () => {
    const withoutPkce = NAMES.filter((name) => PRESETS[name].options.pkce === 'off');
    expect(withoutPkce.sort()).toEqual([
      'linkedin',
      'notion',
      'quickbooks',
      'slackBot',
      'slackUser',
      'strava',
      'zoho',
    ]);
    expect(NAMES.filter((name) => PRESETS[name].options.nonce === 'off').sort()).toEqual(withoutPkce);
    for (const name of withoutPkce) expect(PRESETS[name].needs).toContain('clientSecret');
  });

  it('is exported under its name', () => {
    expect(Object.keys(entry).sort()).toEqual([...NAMES, 'PRESETS'].sort());
  });
});
