import type { Quirk } from '../quirk-hooks.js';
import { empty, html, text } from './answers.js';

/** Names for a dead refresh token, and answers that do not mean that it is dead. */
export type RefreshQuirk =
  | 'dead_as_unauthorized_client'
  | 'dead_as_invalid_request'
  | 'dead_as_strava_errors'
  | 'dead_as_invalid_code_200'
  | 'dead_as_empty_401'
  | 'dead_as_hubspot_status'
  | 'dead_as_slack_ok_false'
  | 'dead_as_x_invalid_request'
  | 'dead_as_session_not_found'
  | 'dead_as_bad_refresh_token_200'
  | 'dead_as_unknown_name'
  | 'client_broken'
  | 'empty_400'
  | 'plain_text_400'
  | 'maintenance_html_200'
  | 'maintenance_html_400'
  | 'maintenance_html_503'
  | 'refresh_expires_first';

function dead(does: string, seen: string, respond: () => Response): Quirk {
  return { does, seen, hooks: { dead: (token) => (token === 'refresh' ? respond() : undefined) } };
}

function maintenance(status: number): Quirk {
  const page = '<!DOCTYPE html><html><head><title>Scheduled maintenance</title></head><body></body></html>';
  const does = `answers every request during maintenance with ${status} and a web page`;
  return { does, seen: 'own', hooks: { maintenance: () => html(page, status) } };
}

export const REFRESH_QUIRKS: Readonly<Record<RefreshQuirk, Quirk>> = {
  dead_as_unauthorized_client: dead(
    'answers a dead refresh token with 403 `unauthorized_client`',
    'https://github.com/raycast/extensions/issues/11836',
    () =>
      Response.json(
        { error: 'unauthorized_client', error_description: 'refresh_token is invalid' },
        { status: 403 },
      ),
  ),
  dead_as_invalid_request: dead(
    'answers a dead refresh token with 400 `invalid_request`',
    'https://github.com/wix-incubator/DeviantArt-API/issues/58',
    () =>
      Response.json(
        { error: 'invalid_request', error_description: 'The refresh_token is invalid.', status: 'error' },
        { status: 400 },
      ),
  ),
  dead_as_strava_errors: dead(
    'answers a dead refresh token with 400 and a list of errors',
    'https://github.com/dreeveapp/dreeve/issues/1449',
    () =>
      Response.json(
        {
          message: 'Bad Request',
          errors: [{ resource: 'RefreshToken', field: 'refresh_token', code: 'invalid' }],
        },
        { status: 400 },
      ),
  ),
  dead_as_invalid_code_200: dead(
    'answers a dead refresh token with 200 `invalid_code`',
    'https://github.com/schmorrison/Zoho/pull/18',
    () => Response.json({ error: 'invalid_code' }),
  ),
  dead_as_empty_401: dead(
    'answers a dead refresh token with 401 and an empty body',
    'https://github.com/givtnl/givt-app/pull/1912',
    () => empty(401),
  ),
  dead_as_hubspot_status: dead(
    'answers a dead refresh token with 400 and the status `BAD_REFRESH_TOKEN`',
    'https://github.com/HGData/mk-node-hubspot/issues/64',
    () =>
      Response.json(
        { status: 'BAD_REFRESH_TOKEN', message: 'missing or invalid refresh token' },
        { status: 400 },
      ),
  ),
  dead_as_slack_ok_false: dead(
    'answers a dead refresh token with 200 and `ok: false`',
    'https://github.com/slackapi/node-slack-sdk/issues/2038',
    () => Response.json({ ok: false, error: 'invalid_refresh_token' }),
  ),
  dead_as_x_invalid_request: dead(
    'answers a dead refresh token with 400 `invalid_request`, in the words of X',
    'https://github.com/plhery/node-twitter-api-v2/issues/496',
    () =>
      Response.json(
        { error: 'invalid_request', error_description: 'Value passed for the token was invalid.' },
        { status: 400 },
      ),
  ),
  dead_as_session_not_found: dead(
    'answers a dead refresh token with 400 `invalid_request` and "session not found"',
    'https://github.com/better-auth/better-auth/issues/8099',
    () =>
      Response.json({ error: 'invalid_request', error_description: 'session not found' }, { status: 400 }),
  ),
  dead_as_bad_refresh_token_200: dead(
    'answers a dead refresh token with 200 `bad_refresh_token`',
    'https://github.com/orgs/community/discussions/24745',
    () =>
      Response.json({
        error: 'bad_refresh_token',
        error_description: 'The refresh token passed is incorrect or expired.',
      }),
  ),
  dead_as_unknown_name: dead(
    'answers a dead refresh token with a status and an error that no specification has',
    'own',
    () => Response.json({ error: 'brewing' }, { status: 418 }),
  ),
  client_broken: {
    does: 'rejects the client at every refresh, with 401 `invalid_client`',
    seen: 'own',
    hooks: {
      request: ({ kind }) =>
        kind === 'refresh' ? Response.json({ error: 'invalid_client' }, { status: 401 }) : undefined,
    },
  },
  empty_400: dead(
    'answers a dead refresh token with 400 and an empty body',
    'https://github.com/givtnl/givt-app/pull/1912',
    () => empty(400),
  ),
  plain_text_400: dead('answers a dead refresh token with 400 and plain text', 'own', () =>
    text('Bad Request', 400),
  ),
  maintenance_html_200: maintenance(200),
  maintenance_html_400: maintenance(400),
  maintenance_html_503: maintenance(503),
  refresh_expires_first: {
    does: 'issues refresh tokens that expire before their access tokens',
    seen: 'https://github.com/keycloak/keycloak/issues/26532',
    provider: { refreshTokenSeconds: 300 },
    hooks: {},
  },
};
