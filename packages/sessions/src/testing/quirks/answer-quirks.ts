import type { Quirk, QuirkHooks, QuirkRequest } from '../quirk-hooks.js';
import { empty } from './answers.js';

/** What a token answer contains, and where the user and the fields for tools are. */
export type AnswerQuirk =
  | 'token_type_bot'
  | 'token_type_user'
  | 'token_type_user_access_token'
  | 'identity_nested_data'
  | 'user_info_post'
  | 'user_info_graphql'
  | 'user_info_header'
  | 'identity_in_token_answer'
  | 'nested_tokens'
  | 'bot_token_with_user'
  | 'user_id_in_token_answer'
  | 'scope_list'
  | 'instance_url_in_answer'
  | 'api_domain_in_answer'
  | 'refresh_token_expires_in'
  | 'x_refresh_token_expires_in'
  | 'no_refresh_token'
  | 'no_expires_in'
  | 'expires_in_text'
  | 'expires_in_fraction'
  | 'expires_in_zero'
  | 'byte_order_mark'
  | 'long_tokens'
  | 'error_status_200'
  | 'form_encoded_answer';

function tokenType(type: string, seen: string): Quirk {
  return {
    does: `issues tokens of the type \`${type}\``,
    seen,
    settings: { tokenTypes: ['Bearer', type] },
    hooks: { tokens: (answer) => ({ ...answer, token_type: type }) },
  };
}

/** The lifetime of the refresh token under another name, and shorter than that of the access token. */
function refreshLifetime(name: string, seen: string): Quirk {
  return {
    does: `names the lifetime of refresh tokens \`${name}\`, and ends them before their access tokens`,
    seen,
    provider: { refreshTokenSeconds: 300 },
    hooks: { tokens: ({ refresh_expires_in: seconds, ...answer }) => ({ ...answer, [name]: seconds }) },
  };
}

/** Another form of `expires_in`. */
function expiresIn(form: string, writtenAs: (seconds: number) => unknown): Quirk {
  return {
    does: `names the lifetime of access tokens ${form}`,
    seen: 'own',
    hooks: {
      tokens: ({ expires_in: seconds, ...answer }) => ({ ...answer, expires_in: writtenAs(Number(seconds)) }),
    },
  };
}

/** Refuses a request for user info that is not as this provider wants it. */
function userInfoRequest(isGood: (request: QuirkRequest) => boolean, status: number): QuirkHooks['request'] {
  return (request) => (request.kind === 'user_info' && !isGood(request) ? empty(status) : undefined);
}

const NOTION_VERSION = '2022-06-28';
const VIEWER = JSON.stringify({ query: '{ viewer { id name } }' });

export const ANSWER_QUIRKS: Readonly<Record<AnswerQuirk, Quirk>> = {
  token_type_bot: tokenType('bot', 'https://docs.slack.dev/reference/methods/oauth.v2.access'),
  token_type_user: tokenType('user', 'https://docs.slack.dev/reference/methods/oauth.v2.access'),
  token_type_user_access_token: tokenType(
    'User Access Token',
    'https://github.com/requests/requests-oauthlib/issues/403',
  ),
  identity_nested_data: {
    does: 'puts the user info below `data`',
    seen: 'https://docs.x.com/x-api/users/get-my-user',
    settings: { identityFields: { subject: '/data/id', name: '/data/username' } },
    hooks: { userInfo: ({ sub, name }) => Response.json({ data: { id: sub, username: name } }) },
  },
  user_info_post: {
    does: 'answers requests for user info with POST only',
    seen: 'https://www.dropbox.com/developers/documentation/http/documentation#users-get_current_account',
    settings: { userInfoRequest: { method: 'POST' } },
    hooks: { request: userInfoRequest(({ method }) => method === 'POST', 405) },
  },
  user_info_graphql: {
    does: 'answers requests for user info in GraphQL only',
    seen: 'https://linear.app/developers/oauth-2-0-authentication',
    settings: {
      userInfoRequest: { method: 'POST', body: VIEWER },
      identityFields: { subject: '/data/viewer/id', name: '/data/viewer/name' },
    },
    hooks: {
      request: userInfoRequest(
        ({ headers, body }) =>
          headers.get('content-type')?.startsWith('application/json') === true && body === VIEWER,
        400,
      ),
      userInfo: ({ sub, name }) => Response.json({ data: { viewer: { id: sub, name } } }),
    },
  },
  user_info_header: {
    does: 'answers requests for user info with its version header only',
    seen: 'https://developers.notion.com/reference/versioning',
    settings: { userInfoRequest: { headers: { 'Notion-Version': NOTION_VERSION } } },
    hooks: {
      request: userInfoRequest(({ headers }) => headers.get('notion-version') === NOTION_VERSION, 400),
    },
  },
  identity_in_token_answer: {
    does: 'identifies the user in token responses, and has no user info',
    seen: 'https://developers.notion.com/reference/create-a-token',
    settings: {
      identitySource: 'token_response',
      identityFields: { subject: '/owner/user/id', name: '/owner/user/name' },
    },
    hooks: {
      tokens: (answer, { grant }) => ({
        ...answer,
        workspace_id: 'W1',
        bot_id: 'B1',
        owner: { type: 'user', user: { object: 'user', id: grant.user, name: grant.user } },
      }),
      userInfo: () => empty(404),
    },
  },
  nested_tokens: {
    does: 'puts tokens and user below `authed_user` in the response to a code',
    seen: 'https://docs.slack.dev/reference/methods/oauth.v2.access',
    settings: {
      tokensAt: '/authed_user',
      identitySource: 'token_response',
      identityFields: { subject: '/authed_user/id' },
      tokenFields: ['/team/id'],
    },
    hooks: {
      // https://github.com/NVIDIA/nemoclaw-community/issues/122: the answer to a refresh is flat.
      tokens: (answer, { kind, grant }) =>
        kind === 'refresh'
          ? { ok: true, ...answer }
          : {
              ok: true,
              app_id: 'A1',
              authed_user: { id: grant.user, ...answer },
              team: { id: 'T1' },
              enterprise: null,
            },
    },
  },
  bot_token_with_user: {
    does: 'issues the token of a bot, and identifies the user beside it',
    seen: 'https://docs.slack.dev/reference/methods/oauth.v2.access',
    settings: { identitySource: 'token_response', identityFields: { subject: '/authed_user/id' } },
    hooks: {
      tokens: (answer, { kind, grant }) => ({
        ok: true,
        ...answer,
        bot_user_id: 'B1',
        team: { id: 'T1' },
        ...(kind !== 'refresh' && { authed_user: { id: grant.user } }),
      }),
    },
  },
  user_id_in_token_answer: {
    does: 'identifies the user by `user_id` in token responses',
    seen: 'https://developers.hubspot.com/changelog/additional-details-returned-when-generating-oauth-access-tokens',
    settings: { identitySource: 'token_response', identityFields: { subject: 'user_id' } },
    hooks: { tokens: (answer, { grant }) => ({ ...answer, user_id: grant.user, hub_id: 1234 }) },
  },
  scope_list: {
    does: 'names the granted scopes as a list',
    seen: 'https://developers.hubspot.com/changelog/additional-details-returned-when-generating-oauth-access-tokens',
    hooks: {
      tokens: ({ scope: _, ...answer }, { grant }) => ({ ...answer, scopes: grant.scopes }),
    },
  },
  instance_url_in_answer: {
    does: "names the address of the user's API in `instance_url`",
    seen: 'https://jsforce.github.io/jsforce/types/oauth2.TokenResponse.html',
    provider: { apiOrigins: ['https://api.test', 'https://acme.my.salesforce.com'] },
    client: { apiOrigins: ['https://api.test'] },
    settings: {
      tokenFields: ['instance_url'],
      apiOriginField: { field: 'instance_url', domains: ['my.salesforce.com'] },
    },
    hooks: { tokens: (answer) => ({ ...answer, instance_url: 'https://acme.my.salesforce.com' }) },
  },
  api_domain_in_answer: {
    does: "names the address of the user's API in `api_domain`",
    seen: 'https://www.zoho.com/accounts/protocol/oauth/use-access-token.html',
    provider: { apiOrigins: ['https://api.test', 'https://www.zohoapis.eu'] },
    client: { apiOrigins: ['https://api.test'] },
    settings: {
      tokenFields: ['api_domain'],
      apiOriginField: { field: 'api_domain', domains: ['zohoapis.eu'] },
    },
    hooks: { tokens: (answer) => ({ ...answer, api_domain: 'https://www.zohoapis.eu' }) },
  },
  refresh_token_expires_in: refreshLifetime(
    'refresh_token_expires_in',
    'https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens',
  ),
  x_refresh_token_expires_in: refreshLifetime(
    'x_refresh_token_expires_in',
    'https://oauth-pythonclient.readthedocs.io/en/latest/user-guide.html',
  ),
  no_refresh_token: {
    does: 'issues no refresh tokens',
    seen: 'https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps',
    hooks: { tokens: ({ refresh_token: _, ...answer }) => answer },
  },
  no_expires_in: {
    does: 'issues access tokens without `expires_in`',
    seen: 'https://github.com/googleworkspace/apps-script-oauth2/issues/10',
    hooks: { tokens: ({ expires_in: _, ...answer }) => answer },
  },
  expires_in_text: expiresIn('as text', (seconds) => String(seconds)),
  expires_in_fraction: expiresIn('with a fraction', (seconds) => seconds + 0.5),
  expires_in_zero: expiresIn('as 0', () => 0),
  byte_order_mark: {
    does: 'begins token responses with a byte order mark',
    seen: 'own',
    hooks: {
      tokens: (answer) =>
        new Response(`\uFEFF${JSON.stringify(answer)}`, { headers: { 'content-type': 'application/json' } }),
    },
  },
  long_tokens: {
    does: 'issues tokens of 16 kB',
    seen: 'own',
    provider: { tokenCharacters: 16_384 },
    hooks: {},
  },
  error_status_200: {
    does: 'answers errors with the status 200',
    seen: 'https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors',
    hooks: { error: (error) => Response.json({ error }) },
  },
  form_encoded_answer: {
    does: 'answers token requests in form encoding',
    seen: 'https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps',
    hooks: {
      tokens: (answer) =>
        new Response(
          new URLSearchParams(Object.entries(answer).map(([name, value]) => [name, String(value)])),
        ),
    },
  },
};
