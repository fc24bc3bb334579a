import { describe, expect, it } from 'vitest';
import type { ProviderOptions } from './provider-options.js';
import { providerSettings } from './provider-settings.js';
import { shownFields } from './shown-fields.js';

function shownIn(
  body: unknown,
  options: Pick<ProviderOptions, 'tokenFields' | 'callbackFields' | 'apiOriginField'>,
  callback?: string,
) {
  const settings = providerSettings({ issuer: 'https://id.test', clientId: 'client', ...options });
  const tokens = ['access-1', undefined];
  return shownFields(settings, {
    body,
    tokens,
    callback: callback === undefined ? undefined : new URLSearchParams(callback),
  });
}

describe('the fields that tools see', () => {
  it('come from the token response, by name or JSON Pointer, and from the callback', () => {
    const body = { hub: 7, nested: { id: 'T1' }, active: true, empty: null };
    const options = {
      tokenFields: ['hub', '/nested/id', 'active', 'empty', 'absent'],
      callbackFields: ['realmId', 'other'],
    };
    expect(shownIn(body, options, 'code=c&realmId=42')).toEqual({
      fields: { hub: '7', '/nested/id': 'T1', active: 'true', realmId: '42' },
    });
  });

  it('are absent if the response has none, and at a refresh those of the callback are', () => {
    expect(shownIn({}, { tokenFields: ['hub'] })).toEqual({});
    expect(shownIn({ hub: 1 }, { tokenFields: ['hub'], callbackFields: ['realmId'] })).toEqual({
      fields: { hub: '1' },
    });
    expect(shownIn({ hub: 1 }, {})).toEqual({});
  });

  it.each<[string, unknown]>([
    ['an object', { id: 1 }],
    ['a list', ['a']],
    ['a text of more than 1,024 characters', 'x'.repeat(1025)],
    ['a token', 'access-1'],
    ['a text with a token in it', 'https://api.test/?key=access-1&v=1'],
  ])('do not include %s, which is noted', (_what, hub) => {
    expect(shownIn({ hub, good: 'g' }, { tokenFields: ['hub', 'good'] })).toEqual({
      fields: { good: 'g' },
      nonconformance: 'field_ignored',
    });
  });

  it('may have 1,024 characters', () => {
    const hub = 'x'.repeat(1024);
    expect(shownIn({ hub }, { tokenFields: ['hub'] })).toEqual({ fields: { hub } });
  });
});

describe('the origin of an API in the token response', () => {
  const options = {
    tokenFields: ['instance_url'],
    apiOriginField: { field: 'instance_url', domains: ['my.salesforce.com', 'zohoapis.eu'] },
  };

  it.each([
    ['https://acme.my.salesforce.com', 'https://acme.my.salesforce.com'],
    ['https://acme.my.salesforce.com/services/', 'https://acme.my.salesforce.com'],
    ['https://my.salesforce.com', 'https://my.salesforce.com'],
    ['https://ACME.My.Salesforce.com:443', 'https://acme.my.salesforce.com'],
    ['https://www.zohoapis.eu', 'https://www.zohoapis.eu'],
  ])('%s is used', (instanceUrl, apiOrigin) => {
    expect(shownIn({ instance_url: instanceUrl }, options)).toEqual({
      fields: { instance_url: instanceUrl },
      apiOrigin,
    });
  });

  it('may be below a domain that the options write in capitals', () => {
    const apiOriginField = { field: 'instance_url', domains: ['My.Salesforce.com'] };
    const body = { instance_url: 'https://acme.my.salesforce.com' };
    expect(shownIn(body, { ...options, apiOriginField })).toMatchObject({ apiOrigin: body.instance_url });
  });

  it.each([
    'http://acme.my.salesforce.com',
    'https://acme.my.salesforce.com:8443',
    'https://user@acme.my.salesforce.com',
    'https://:password@acme.my.salesforce.com',
    'https://evil.my.salesforce.com.evil.test',
    'https://evilmy.salesforce.com',
    'https://my.salesforce.com.',
    'https://evil.test/my.salesforce.com',
    'https://evil.test\\.my.salesforce.com',
    'https://my.salesforce.com@evil.test',
    'https://my.sälesforce.com',
    'ftp://my.salesforce.com',
    'acme.my.salesforce.com',
    '',
  ])('%j is not used, which is noted', (instanceUrl) => {
    expect(shownIn({ instance_url: instanceUrl }, options)).toEqual({
      fields: { instance_url: instanceUrl },
      nonconformance: 'api_origin_refused',
    });
  });

  it('is absent if its field is', () => {
    expect(shownIn({}, options)).toEqual({});
  });
});
