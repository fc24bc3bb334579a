import { describe, expect, it } from 'vitest';
import { FaultingProvider, QUIRKS, type QuirkName } from './index.js';

const REDIRECT_URI = 'https://server.test/callback';

/** A client of a provider, without the checks of the library. */
class Client {
  readonly provider: FaultingProvider;

  constructor(...quirks: readonly QuirkName[]) {
    this.provider = new FaultingProvider({ quirks, api: (_request, user) => new Response(user) });
  }

  async metadata(path = '.well-known/openid-configuration'): Promise<Response> {
    return this.provider.fetch(`https://provider.test/${path}`);
  }

  callback(parameters: Record<string, string> = {}): URL {
    const { clientId, scopes = [] } = this.provider.options;
    const url = new URL(this.provider.options.endpoints?.authorization ?? 'https://provider.test/authorize');
    // The challenge of the verifier `verifier` (RFC 7636 section 4.2).
    const challenge = 'iMnq5o6zALKXGivsnlom_0F5_WYda32GHkxlV7mq7hQ';
    const asked = {
      client_id: clientId,
      redirect_uri: REDIRECT_URI,
      scope: scopes.join(' '),
      state: 'state',
      nonce: 'nonce',
      code_challenge: challenge,
      ...parameters,
    };
    for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
    return this.provider.authorize(url, 'alice');
  }

  async token(form: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
    const body = new URLSearchParams(form);
    return this.provider.fetch('https://provider.test/token', { method: 'POST', body, headers });
  }

  async redeem(more: Record<string, string> = {}): Promise<Response> {
    const code = this.callback().searchParams.get('code') ?? '';
    return this.token({ grant_type: 'authorization_code', code, code_verifier: 'verifier', ...more });
  }

  async refreshDead(): Promise<Response> {
    const { refresh_token: refreshToken } = await (await this.redeem()).json();
    this.provider.endGrant('alice');
    return this.token({ grant_type: 'refresh_token', refresh_token: refreshToken });
  }
}

async function shown(response: Response): Promise<string> {
  return `${response.status} ${await response.text()}`;
}

describe('a dead refresh token', () => {
  it.each<[QuirkName, string]>([
    [
      'dead_as_unauthorized_client',
      '403 {"error":"unauthorized_client","error_description":"refresh_token is invalid"}',
    ],
    [
      'dead_as_invalid_request',
      '400 {"error":"invalid_request","error_description":"The refresh_token is invalid.","status":"error"}',
    ],
    [
      'dead_as_strava_errors',
      '400 {"message":"Bad Request","errors":[{"resource":"RefreshToken","field":"refresh_token","code":"invalid"}]}',
    ],
    ['dead_as_invalid_code_200', '200 {"error":"invalid_code"}'],
    ['dead_as_empty_401', '401 '],
    [
      'dead_as_hubspot_status',
      '400 {"status":"BAD_REFRESH_TOKEN","message":"missing or invalid refresh token"}',
    ],
    ['dead_as_slack_ok_false', '200 {"ok":false,"error":"invalid_refresh_token"}'],
    [
      'dead_as_x_invalid_request',
      '400 {"error":"invalid_request","error_description":"Value passed for the token was invalid."}',
    ],
    ['dead_as_session_not_found', '400 {"error":"invalid_request","error_description":"session not found"}'],
    [
      'dead_as_bad_refresh_token_200',
      '200 {"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired."}',
    ],
    ['dead_as_unknown_name', '418 {"error":"brewing"}'],
    ['empty_400', '400 '],
    ['plain_text_400', '400 Bad Request'],
    ['error_status_200', '200 {"error":"invalid_grant"}'],
  ])('is answered by %s as its thread shows', async (quirk, answer) => {
    expect(await shown(await new Client(quirk).refreshDead())).toBe(answer);
  });

  it('is answered as RFC 6749 says without a quirk', async () => {
    expect(await shown(await new Client().refreshDead())).toBe('400 {"error":"invalid_grant"}');
  });
});

describe('the newest refresh token of a grant', () => {
  it('can be used until another replaces it or the grant ends', async () => {
    const client = new Client();
    const { refresh_token: first, access_token: accessToken } = await (await client.redeem()).json();
    expect(client.provider.canRefresh(first)).toBe(true);
    expect(client.provider.canRefresh(accessToken)).toBe(false);
    const refreshed = await client.token({ grant_type: 'refresh_token', refresh_token: first });
    const { refresh_token: second } = await refreshed.json();
    expect([first, second].map((token) => client.provider.canRefresh(token))).toEqual([false, true]);
    client.provider.endGrant('alice');
    expect(client.provider.canRefresh(second)).toBe(false);
  });
});

describe('quirks of a FaultingProvider', () => {
  it('say what the provider does, each in its own words, and where that was seen', () => {
    const rows = Object.entries(QUIRKS);
    for (const [name, { does, seen }] of rows) {
      expect(`${name} ${does}`).toMatch(/^\w+ [a-z-]+ .*[^.]$/);
      expect(`${name} ${seen}`).toMatch(/ (own|https:\/\/\S+)$/);
    }
    expect(new Set(rows.map(([, { does }]) => does)).size).toBe(rows.length);
  });

  it('refuse a name that no quirk has', () => {
    const options = { quirks: ['no_such_quirk' as QuirkName] };
    expect(() => new FaultingProvider(options)).toThrow(/quirks/);
  });
});
