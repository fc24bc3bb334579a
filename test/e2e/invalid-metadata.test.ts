import { describe, expect, it } from 'vitest';
import { ERAS } from '../support/transcribed-server.js';
import { Play } from './provider-play.js';

const FIELDS = [
  'authorization_endpoint',
  'token_endpoint',
  'userinfo_endpoint',
  'revocation_endpoint',
  'device_authorization_endpoint',
  'pushed_authorization_request_endpoint',
  'introspection_endpoint',
  'jwks_uri',
  'issuer',
  'code_challenge_methods_supported',
  'id_token_signing_alg_values_supported',
  'scopes_supported',
  'token_endpoint_auth_methods_supported',
  'require_pushed_authorization_requests',
  'authorization_response_iss_parameter_supported',
  'backchannel_logout_supported',
];
const VALUES: readonly unknown[] = [
  undefined,
  null,
  7,
  true,
  '',
  'x',
  '/path',
  'javascript:alert(1)',
  {},
  [],
  [7],
];
/** Of failures for which an operator could find nothing to change. */
const VAGUE = /connection_lost|timeout|internal error/;

describe.each(ERAS)('metadata with a field that is not valid (%s)', (era) => {
  it.each(FIELDS)('lets a login work, or log and check name cause and setting: %s', async (name) => {
    // A provider that announces the issuer in its responses (RFC 9207) has to name it there.
    const values = VALUES.filter((value) => value !== true || !name.startsWith('authorization_response_iss'));
    for (const value of values) {
      const at = new Play({ idTokens: true, clientSecret: 'secret' });
      at.provider.failUntilMended('discovery', async (response) =>
        Response.json({ ...(await response.json()), [name]: value }),
      );
      const client = await at.connect(era);
      const { answer } = await client.logIn('alice');
      const [report] = await at.sessions.checkProviders();
      const failed = report?.checks.filter(({ result }) => result === 'failed') ?? [];
      const { reason, setting } = at.failures[0] ?? {};
      const seen = { name, value, log: at.log };
      expect(JSON.stringify(await client.status())).not.toContain('"pending"');
      expect(JSON.stringify(at.log)).not.toMatch(VAGUE);
      if (answer.isError) {
        expect({ seen, setting, failed }).toMatchObject({ seen, setting: expect.any(String) });
        expect({ seen, failed }).toMatchObject({ seen, failed: [{ setting, failure: { reason } }] });
      } else {
        expect({ seen, failed }).toEqual({ seen, failed: [] });
        await client.call('logout');
        expect(JSON.stringify(at.log)).not.toMatch(VAGUE);
      }
      await at.finish(at.sessions.close());
    }
  });
});
