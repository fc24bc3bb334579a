import { describe, expect, it } from 'vitest';
import type { ProviderOptions } from '../../packages/sessions/src/index.js';
import { PRESETS, type PresetName } from '../../packages/sessions/src/presets/index.js';
import { preset } from '../../packages/sessions/src/presets/presets.js';
import type { QuirkName } from '../../packages/sessions/src/testing/index.js';
import { ERAS, type Era } from '../support/transcribed-server.js';
import { Play } from './provider-play.js';

/** How a provider with a preset answers, as the links of the preset say. */
interface PlayedPreset {
  readonly quirks: readonly QuirkName[];
  /** What identifies a user in user info. */
  readonly identity?: (user: string) => Readonly<Record<string, unknown>>;
  /** Further options of the caller. */
  readonly given?: Partial<ProviderOptions>;
  /** The user's id at the provider. Default: `alice`. */
  readonly subject?: string;
  readonly api?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly revocation: 'confirmed' | 'unsupported';
  /** Whether its access tokens live as long as their grant. */
  readonly isUnlimited?: boolean;
}

const PLAYED: Readonly<Record<PresetName, PlayedPreset>> = {
  github: {
    quirks: [
      'error_status_200',
      'no_expires_in',
      'no_refresh_token',
      'revocation_by_delete',
      'form_encoded_answer',
    ],
    identity: (user) => ({ id: 7, login: user }),
    subject: '7',
    isUnlimited: true,
    revocation: 'confirmed',
  },
  githubApp: {
    quirks: [
      'dead_as_bad_refresh_token_200',
      'refresh_token_expires_in',
      'revocation_by_delete',
      'form_encoded_answer',
    ],
    identity: (user) => ({ id: 7, login: user }),
    subject: '7',
    revocation: 'confirmed',
  },
  google: {
    quirks: ['revocation_ends_all_grants'],
    revocation: 'confirmed',
  },
  entra: {
    quirks: ['issuer_tenant_common', 'pkce_not_announced', 'api_insufficient_claims'],
    given: { issuer: 'https://login.microsoftonline.com/common/v2.0' },
    revocation: 'unsupported',
  },
  slackUser: {
    quirks: [
      'scopes_in_user_scope',
      'token_type_user',
      'nested_tokens',
      'dead_as_slack_ok_false',
      'revocation_by_bearer',
    ],
    subject: 'T1/alice',
    fields: { '/team/id': 'T1' },
    revocation: 'confirmed',
  },
  slackBot: {
    quirks: ['token_type_bot', 'bot_token_with_user', 'dead_as_slack_ok_false'],
    subject: 'T1/alice',
    fields: { '/team/id': 'T1' },
    revocation: 'unsupported',
  },
  notion: {
    quirks: ['identity_in_token_answer', 'revocation_by_json'],
    fields: { workspace_id: 'W1', bot_id: 'B1' },
    revocation: 'confirmed',
  },
  atlassian: {
    quirks: ['dead_as_unauthorized_client'],
    identity: (user) => ({ account_id: user, name: user }),
    revocation: 'unsupported',
  },
  salesforce: {
    quirks: ['pkce_not_announced', 'instance_url_in_answer', 'no_expires_in'],
    fields: { instance_url: 'https://acme.my.salesforce.com' },
    api: 'https://acme.my.salesforce.com/services/data',
    isUnlimited: true,
    revocation: 'confirmed',
  },
  hubspot: {
    quirks: ['user_id_in_token_answer', 'scope_list', 'dead_as_hubspot_status'],
    fields: { hub_id: '1234' },
    revocation: 'confirmed',
  },
  x: {
    quirks: ['identity_nested_data', 'dead_as_x_invalid_request'],
    revocation: 'confirmed',
  },
  linkedin: {
    quirks: ['no_nonce', 'refuses_code_verifier', 'no_revocation_endpoint'],
    revocation: 'unsupported',
  },
  strava: {
    quirks: ['scopes_by_comma', 'scopes_in_callback', 'dead_as_strava_errors', 'revocation_by_bearer'],
    identity: (user) => ({ id: 7, username: user }),
    subject: '7',
    given: { scopes: ['read', 'activity:read_all'] },
    revocation: 'confirmed',
  },
  quickbooks: {
    quirks: ['realm_id_in_callback', 'no_nonce', 'x_refresh_token_expires_in', 'revocation_by_json'],
    identity: (user) => ({ sub: user, givenName: user }),
    fields: { realmId: '4620816365000000000' },
    revocation: 'confirmed',
  },
  zoho: {
    quirks: ['scopes_by_comma', 'api_domain_in_answer', 'dead_as_invalid_code_200'],
    identity: (user) => ({ ZUID: 7, Display_Name: user }),
    subject: '7',
    fields: { api_domain: 'https://www.zohoapis.eu' },
    api: 'https://www.zohoapis.eu/crm/v8/users',
    revocation: 'confirmed',
  },
  cognito: {
    quirks: ['pkce_not_announced', 'revocation_access_token_unsupported'],
    given: { issuer: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_test' },
    revocation: 'confirmed',
  },
  keycloak: {
    quirks: ['refresh_expires_first', 'revocation_ends_all_grants'],
    given: { issuer: 'https://keycloak.test/realms/test' },
    revocation: 'confirmed',
  },
};

const names = Object.keys(PLAYED) as PresetName[];

function start(name: PresetName, more: readonly QuirkName[] = []): Play {
  const { identity, given = {} } = PLAYED[name];
  const quirks = [...new Set([...PLAYED[name].quirks, ...more])];
  const options = { ...PRESETS[name].options, ...given };
  const { issuer, endpoints, scopes = [], apiOrigins } = options;
  return new Play(
    {
      quirks,
      ...(issuer !== undefined && { issuer }),
      ...(endpoints && { endpoints }),
      ...(identity && { identity }),
      ...(apiOrigins && { apiOrigins }),
      idTokens: scopes.includes('openid'),
      clientSecret: 'secret',
    },
    () => preset(name)({ clientId: 'test', clientSecret: 'secret', ...apiOf(name), ...given }),
  );
}

/** The origin of an API, for presets that leave it to the operator. */
function apiOf(name: PresetName): Pick<ProviderOptions, 'apiOrigins'> {
  return PRESETS[name].options.apiOrigins ? {} : { apiOrigins: ['https://api.test'] };
}

async function play(name: PresetName, era: Era): Promise<void> {
  const { quirks, subject = 'alice', fields = {}, revocation, isUnlimited = false } = PLAYED[name];
  const [origin] = PRESETS[name].options.apiOrigins ?? ['https://api.test'];
  const api = PLAYED[name].api ?? `${origin}/resource`;
  const works = `200 alice ${JSON.stringify(fields)}`;
  const at = start(name);
  const client = await at.connect(era);
  const logInOnce = async () => {
    const { page, answer } = await client.logIn('alice');
    expect(page).toBeUndefined();
    expect(answer.structured).toMatchObject({
      status: 'authenticated',
      account: { provider: name, subject },
    });
  };
  const logIn = async () => {
    await logInOnce();
    if (!quirks.includes('api_insufficient_claims')) return;
    expect(await client.who(api)).toMatch(/Call the `login` tool/);
    await logInOnce();
  };
  await logIn();
  expect(await client.who(api)).toBe(works);
  if (!isUnlimited) {
    const before = at.provider.requests.token;
    await at.clock.advance(600_000);
    expect(at.provider.requests.token).toBeGreaterThan(before);
    expect(await client.who(api)).toBe(works);
    at.provider.endGrant('alice');
    await at.clock.advance(601_000);
    expect(await client.who(api)).toMatch(/Call the `login` tool/);
    expect((await client.status()).state).toBe('reauthentication_required');
    await logIn();
    expect(await client.who(api)).toBe(works);
  }
  expect((await client.call('logout')).structured).toMatchObject({ accounts: [{ revocation }] });
  expect(at.provider.livingUsers()).toEqual(
    revocation === 'confirmed' ? [] : expect.arrayContaining(['alice']),
  );
  expect(at.failures).toEqual([]);
}

describe.each(ERAS)('a provider that answers as its documentation says (%s)', (era) => {
  it.each(['google', 'hubspot', 'keycloak', 'notion', 'quickbooks', 'slackUser', 'strava'] as const)(
    'keeps the other login of the user at a logout with the preset %s [security 22]',
    async (name) => {
      const at = start(name, ['revocation_ends_all_grants']);
      const [first, other] = [await at.connect(era), await at.connect(era)];
      for (const client of [first, other]) await client.logIn('alice');
      const accounts = [{ revocation: 'deferred' }];
      expect((await first.call('logout')).structured).toMatchObject({ accounts });
      expect((await other.status()).state).toBe('authenticated');
      expect(at.provider.livingUsers()).toEqual(['alice', 'alice']);
      await other.call('logout');
      expect(at.provider.livingUsers()).toEqual([]);
    },
  );

  it.each(names)(
    'has a login, an API call, a refresh, a dead refresh and a logout with the preset %s',
    (name) => play(name, era),
  );
});
