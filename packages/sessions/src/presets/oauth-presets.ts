import type { ProviderOptions } from '../provider/provider-options.js';
import type { OidcPresetName, Preset, PresetName } from './preset.js';

const COMPARED = '2026-11-30';

/** What an OAuth app and a GitHub App share. */
const GITHUB = {
  issuer: 'https://github.com/login/oauth',
  endpoints: {
    authorization: 'https://github.com/login/oauth/authorize',
    token: 'https://github.com/login/oauth/access_token',
    userInfo: 'https://api.github.com/user',
    revocation: 'https://api.github.com/applications/{clientId}/token',
    deviceAuthorization: 'https://github.com/login/device/code',
  },
  clientAuthentication: 'client_secret_post',
  pkce: 'S256',
  scopes: [],
  identityFields: { subject: 'id', name: 'login' },
  revocationRequest: { method: 'DELETE', body: 'json', tokenField: 'access_token', tokens: 'access' },
  apiOrigins: ['https://api.github.com'],
} as const satisfies Partial<ProviderOptions>;

/**
 * What logins as a user and as a bot share. PKCE needs a setting of the app that makes it a public client for good, and
 * Slack answers `internal_error` to a code verifier beside a secret, so PKCE is off.
 */
const SLACK = {
  displayName: 'Slack',
  issuer: 'https://slack.com',
  endpoints: {
    authorization: 'https://slack.com/oauth/v2/authorize',
    token: 'https://slack.com/api/oauth.v2.access',
  },
  pkce: 'off',
  nonce: 'off',
  scopes: ['users:read'],
  scopeSeparator: ',',
  identitySource: 'token_response',
  // The id of a user is unique in a workspace. There is none if an organization has installed the app.
  identityFields: { subject: ['/team/id', '/authed_user/id'] },
  tokenFields: ['/team/id'],
  apiOrigins: ['https://slack.com'],
} as const satisfies Partial<ProviderOptions>;

const SLACK_LINKS = [
  'https://docs.slack.dev/reference/methods/oauth.v2.access',
  'https://docs.slack.dev/authentication/using-token-rotation',
  'https://docs.slack.dev/authentication/using-pkce',
  'https://api.slack.com/types/user',
  'https://github.com/paradigmxyz/centaur/pull/1101',
  'https://github.com/slackapi/node-slack-sdk/issues/2038',
  'https://github.com/NVIDIA/nemoclaw-community/issues/122',
] as const;

/** Providers without discovery. */
export const OAUTH_PRESETS: Readonly<Record<Exclude<PresetName, OidcPresetName>, Preset>> = {
  github: {
    options: { ...GITHUB, name: 'github', displayName: 'GitHub' },
    needs: ['clientSecret'],
    compared: COMPARED,
    links: [
      'https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps',
      'https://docs.github.com/en/rest/apps/oauth-applications',
      'https://github.blog/changelog/2025-07-14-pkce-support-for-oauth-and-github-app-authentication',
    ],
  },
  githubApp: {
    options: { ...GITHUB, name: 'githubApp', displayName: 'GitHub' },
    needs: ['clientSecret'],
    compared: COMPARED,
    links: [
      'https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens',
      'https://docs.github.com/en/rest/apps/oauth-applications',
      'https://github.com/orgs/community/discussions/24745',
    ],
  },
  slackUser: {
    options: {
      ...SLACK,
      name: 'slackUser',
      endpoints: { ...SLACK.endpoints, revocation: 'https://slack.com/api/auth.revoke' },
      scopeParameter: 'user_scope',
      tokensAt: '/authed_user',
      tokenTypes: ['Bearer', 'user'],
      // Without token rotation, each login of a user returns the same token.
      revocation: 'grant',
      revocationRequest: { tokens: 'access', authentication: 'bearer' },
    },
    needs: ['clientSecret'],
    compared: COMPARED,
    links: [...SLACK_LINKS, 'https://docs.slack.dev/reference/methods/auth.revoke'],
  },
  slackBot: {
    options: {
      ...SLACK,
      name: 'slackBot',
      tokenTypes: ['Bearer', 'bot'],
      // It would remove the bot from every channel.
      revocation: 'none',
    },
    needs: ['clientSecret'],
    compared: COMPARED,
    links: SLACK_LINKS,
  },
  notion: {
    options: {
      name: 'notion',
      displayName: 'Notion',
      issuer: 'https://api.notion.com',
      endpoints: {
        authorization: 'https://api.notion.com/v1/oauth/authorize',
        token: 'https://api.notion.com/v1/oauth/token',
        revocation: 'https://api.notion.com/v1/oauth/revoke',
      },
      // The documentation does not mention PKCE.
      pkce: 'off',
      nonce: 'off',
      scopes: [],
      authorizationParams: { owner: 'user' },
      identitySource: 'token_response',
      identityFields: { subject: '/owner/user/id', name: '/owner/user/name' },
      tokenFields: ['workspace_id', 'bot_id'],
      // Each login of a user returned the same token before there were refresh tokens.
      revocation: 'grant',
      revocationRequest: {
        body: 'json',
        tokens: 'access',
        headers: { 'notion-version': '2025-09-03' },
      },
      apiOrigins: ['https://api.notion.com'],
    },
    needs: ['clientSecret'],
    compared: COMPARED,
    links: [
      'https://developers.notion.com/reference/create-a-token',
      'https://developers.notion.com/reference/refresh-a-token',
      'https://developers.notion.com/reference/revoke-token',
      'https://developers.notion.com/changelog/initial-users-may-reauthorize-a-public-integration-using-oauth',
      'https://github.com/nextauthjs/next-auth/blob/main/packages/core/src/providers/notion.ts',
    ],
  },
  atlassian: {
    options: {
      name: 'atlassian',
      displayName: 'Atlassian',
      issuer: 'https://auth.atlassian.com',
      endpoints: {
        authorization: 'https://auth.atlassian.com/authorize',
        token: 'https://auth.atlassian.com/oauth/token',
        userInfo: 'https://api.atlassian.com/me',
      },
      clientAuthentication: 'client_secret_post',
      // The documentation does not mention PKCE; other clients send it.
      pkce: 'S256',
      scopes: ['read:me', 'offline_access'],
      authorizationParams: { audience: 'api.atlassian.com', prompt: 'consent' },
      identityFields: { subject: 'account_id', name: 'name' },
      revocation: 'none',
      apiOrigins: ['https://api.atlassian.com'],
    },
    needs: ['clientSecret'],
    compared: COMPARED,
    links: [
      'https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps/',
      'https://github.com/raycast/extensions/issues/11836',
      'https://github.com/obot-platform/tools/pull/310',
    ],
  },
  hubspot: {
    options: {
      name: 'hubspot',
      displayName: 'HubSpot',
      issuer: 'https://app.hubspot.com',
      endpoints: {
        authorization: 'https://app.hubspot.com/oauth/authorize',
        token: 'https://api.hubapi.com/oauth/2026-03/token',
        revocation: 'https://api.hubapi.com/oauth/2026-03/token/revoke',
      },
      clientAuthentication: 'client_secret_post',
      pkce: 'S256',
      scopes: ['oauth'],
      identitySource: 'token_response',
      // `hub_id` names the HubSpot account, which many users share.
      identityFields: { subject: 'user_id' },
      tokenFields: ['hub_id'],
      // Logins of one user may share a refresh token.
      revocation: 'grant',
      revocationRequest: { tokens: 'refresh' },
      apiOrigins: ['https://api.hubapi.com'],
    },
    needs: ['clientSecret'],
    compared: COMPARED,
    links: [
      'https://developers.hubspot.com/docs/api-reference/auth-oauth-v3/guide',
      'https://developers.hubspot.com/docs/api-reference/2026-03/authentication/oauth-tokens/refresh-oauth-token',
      'https://developers.hubspot.com/docs/api-reference/legacy/authentication/oauth-tokens/v1/refresh-oauth-token',
      'https://developers.hubspot.com/docs/api-reference/latest/authentication/oauth-tokens/revoke-token',
      'https://developers.hubspot.com/changelog/additional-details-returned-when-generating-oauth-access-tokens',
      'https://github.com/HGData/mk-node-hubspot/issues/64',
    ],
  },
  x: {
    options: {
      name: 'x',
      displayName: 'X',
      issuer: 'https://x.com',
      endpoints: {
        authorization: 'https://x.com/i/oauth2/authorize',
        token: 'https://api.x.com/2/oauth2/token',
        userInfo: 'https://api.x.com/2/users/me',
        revocation: 'https://api.x.com/2/oauth2/revoke',
      },
      pkce: 'S256',
      // The first two are what the user info requires.
      scopes: ['tweet.read', 'users.read', 'offline.access'],
      identityFields: { subject: '/data/id', name: '/data/username' },
      apiOrigins: ['https://api.x.com'],
    },
    needs: [],
    compared: COMPARED,
    links: [
      'https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token',
      'https://github.com/plhery/node-twitter-api-v2/issues/496',
    ],
  },
  strava: {
    options: {
      name: 'strava',
      displayName: 'Strava',
      issuer: 'https://www.strava.com',
      endpoints: {
        authorization: 'https://www.strava.com/oauth/authorize',
        token: 'https://www.strava.com/oauth/token',
        userInfo: 'https://www.strava.com/api/v3/athlete',
        revocation: 'https://www.strava.com/oauth/deauthorize',
      },
      clientAuthentication: 'client_secret_post',
      // The documentation does not mention PKCE.
      pkce: 'off',
      nonce: 'off',
      scopes: ['read'],
      scopeSeparator: ',',
      identityFields: { subject: 'id', name: 'username' },
      // It ends the athlete's access for the application.
      revocation: 'grant',
      revocationRequest: { tokenField: 'access_token', tokens: 'access', authentication: 'bearer' },
      apiOrigins: ['https://www.strava.com'],
    },
    needs: ['clientSecret'],
    compared: COMPARED,
    links: [
      'https://developers.strava.com/docs/authentication',
      'https://developers.strava.com/docs/getting-started/',
      'https://github.com/dreeveapp/dreeve/issues/1449',
      'https://github.com/yihong0618/running_page/issues/523',
    ],
  },
  quickbooks: {
    options: {
      name: 'quickbooks',
      displayName: 'QuickBooks',
      issuer: 'https://oauth.platform.intuit.com/op/v1',
      endpoints: {
        authorization: 'https://appcenter.intuit.com/connect/oauth2',
        token: 'https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer',
        userInfo: 'https://accounts.platform.intuit.com/v1/openid_connect/userinfo',
        revocation: 'https://developer.api.intuit.com/v2/oauth2/tokens/revoke',
      },
      // The metadata announces no PKCE, and no nonce among the claims.
      pkce: 'off',
      nonce: 'off',
      scopes: ['openid', 'profile', 'com.intuit.quickbooks.accounting'],
      identitySource: 'user_info',
      identityFields: { subject: 'sub', name: 'givenName' },
      // The company that the user has chosen.
      callbackFields: ['realmId'],
      // A user and a company share one connection.
      revocation: 'grant',
      revocationRequest: { body: 'json', tokens: 'refresh' },
      apiOrigins: ['https://quickbooks.api.intuit.com'],
    },
    needs: ['clientSecret'],
    compared: COMPARED,
    links: [
      'https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0',
      'https://developer.intuit.com/.well-known/openid-sandbox-configuration',
      'https://oauth-pythonclient.readthedocs.io/en/latest/user-guide.html',
    ],
  },
  zoho: {
    options: {
      name: 'zoho',
      displayName: 'Zoho',
      issuer: 'https://accounts.zoho.com',
      endpoints: {
        authorization: 'https://accounts.zoho.com/oauth/v2/auth',
        token: 'https://accounts.zoho.com/oauth/v2/token',
        userInfo: 'https://accounts.zoho.com/oauth/user/info',
        revocation: 'https://accounts.zoho.com/oauth/v2/token/revoke',
      },
      clientAuthentication: 'client_secret_post',
      // The documentation of web applications does not mention PKCE.
      pkce: 'off',
      nonce: 'off',
      scopes: ['AaaServer.profile.READ'],
      scopeSeparator: ',',
      authorizationParams: { access_type: 'offline', prompt: 'consent' },
      identityFields: { subject: 'ZUID', name: 'Display_Name' },
      tokenFields: ['api_domain'],
      apiOriginField: {
        field: 'api_domain',
        domains: [
          'zohoapis.com',
          'zohoapis.eu',
          'zohoapis.in',
          'zohoapis.com.au',
          'zohoapis.jp',
          'zohoapis.ca',
          'zohoapis.sa',
          'zohoapis.ae',
          'zohoapis.uk',
          'zohoapis.com.cn',
        ],
      },
      revocationRequest: { tokens: 'refresh' },
    },
    needs: ['clientSecret'],
    compared: COMPARED,
    links: [
      'https://www.zoho.com/accounts/protocol/oauth/web-apps/access-token-expiry.html',
      'https://www.zoho.com/accounts/protocol/oauth/use-access-token.html',
      'https://www.zoho.com/accounts/protocol/oauth/web-apps/revoke-refresh-token.html',
      'https://www.zoho.com/accounts/protocol/oauth/multi-dc.html',
      'https://www.zoho.com/workdrive/developer/docs/api/v1/getting-started-multi-dc-support.html',
      'https://github.com/schmorrison/Zoho/pull/18',
      'https://github.com/oozou/omniauth-zoho',
    ],
  },
};
