import type { Quirk, QuirkHooks, QuirkRequest } from '../quirk-hooks.js';
import { empty } from './answers.js';

/** What a token answer contains, and where the user and the fields for tools are (K3, K4, K9). */
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
  | 'error_status_200'
  | 'form_encoded_answer';

function tokenType(type: string, seen: string): Quirk {
  return {
    kind: 'K3',
    seen,
    settings: { tokenTypes: ['Bearer', type] },
    hooks: { tokens: (answer) => ({ ...answer, token_type: type }) },
  };
}

/** The lifetime of the refresh token under another name, and shorter than that of the access token. */
function refreshLifetime(name: string, seen: string): Quirk {
  return {
    kind: 'K7',
    seen,
    provider: { refreshTokenSeconds: 300 },
    hooks: { tokens: ({ refresh_expires_in: seconds, ...answer }) => ({ ...answer, [name]: seconds }) },
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
    kind: 'K4',
    seen: 'https://docs.x.com/x-api/users/get-my-user',
    settings: { identityFields: { subject: '/data/id', name: '/data/username' } },
    hooks: { userInfo: ({ sub, name }) => Response.json({ data: { id: sub, username: name } }) },
  },
  user_info_post: {
    kind: 'K4',
    seen: 'https://www.dropbox.com/developers/documentation/http/documentation#users-get_current_account',
    settings: { userInfoRequest: { method: 'POST' } },
    hooks: { request: userInfoRequest(({ method }) => method === 'POST', 405) },
  },
  user_info_graphql: {
    kind: 'K4',
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
    kind: 'K4',
    seen: 'https://developers.notion.com/reference/versioning',
    settings: { userInfoRequest: { headers: { 'Notion-Version': NOTION_VERSION } } },
    hooks: {
      request: userInfoRequest(({ headers }) => headers.get('notion-version') === NOTION_VERSION, 400),
    },
  },
  identity_in_token_answer: {
    kind: 'K4',
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
    kind: 'K4',
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
    kind: 'K4',
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
    kind: 'K4',
    seen: 'https://developers.hubspot.com/changelog/additional-details-returned-when-generating-oauth-access-tokens',
    settings: { identitySource: 'token_response', identityFields: { subject: 'user_id' } },
    hooks: { tokens: (answer, { grant }) => ({ ...answer, user_id: grant.user, hub_id: 1234 }) },
  },
  scope_list: {
    kind: 'K9',
    seen: 'https://developers.hubspot.com/changelog/additional-details-returned-when-generating-oauth-access-tokens',
    hooks: {
      tokens: ({ scope: _, ...answer }, { grant }) => ({ ...answer, scopes: grant.scopes }),
    },
  },
  instance_url_in_answer: {
    kind: 'K9',
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
    kind: 'K9',
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
    kind: 'K9',
    seen: 'https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps',
    hooks: { tokens: ({ refresh_token: _, ...answer }) => answer },
  },
  no_expires_in: {
    kind: 'K9',
    seen: 'https://github.com/googleworkspace/apps-script-oauth2/issues/10',
    hooks: { tokens: ({ expires_in: _, ...answer }) => answer },
  },
  error_status_200: {
    kind: 'K9',
    seen: 'https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors',
    hooks: { error: (error) => Response.json({ error }) },
  },
  form_encoded_answer: {
    kind: 'K9',
    seen: 'https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps',
    hooks: {
      tokens: (answer) =>
        new Response(
          new URLSearchParams(Object.entries(answer).map(([name, value]) => [name, String(value)])),
        ),
    },
  },
};
