import type { OidcPresetName, Preset } from './preset.js';

const COMPARED = '2026-11-30';

/** Asks for access tokens that Microsoft Graph may refuse with a claims challenge, and that live longer for it. */
const ENTRA_CLAIMS = JSON.stringify({ access_token: { xms_cc: { values: ['cp1'] } } });

/** Providers with discovery. */
export const OIDC_PRESETS: Readonly<Record<OidcPresetName, Preset>> = {
  google: {
    options: {
      name: 'google',
      displayName: 'Google',
      issuer: 'https://accounts.google.com',
      scopes: ['openid', 'profile'],
      // Without these, there is no refresh token.
      authorizationParams: { access_type: 'offline', prompt: 'consent' },
      // A revoked token takes the whole consent of the user with it.
      revocation: 'grant',
      apiOrigins: ['https://www.googleapis.com'],
    },
    needs: ['clientSecret'],
    compared: COMPARED,
    links: [
      'https://developers.google.com/identity/protocols/oauth2/web-server',
      'https://github.com/google/google-api-javascript-client/issues/754',
    ],
  },
  entra: {
    options: {
      name: 'entra',
      displayName: 'Microsoft',
      scopes: ['openid', 'profile', 'offline_access'],
      // Supported, but not announced.
      pkce: 'S256',
      authorizationParams: { claims: ENTRA_CLAIMS },
      // There is no revocation endpoint.
      revocation: 'none',
      apiOrigins: ['https://graph.microsoft.com'],
    },
    needs: ['issuer'],
    issuerForm: 'https://login.microsoftonline.com/<tenant>/v2.0',
    compared: COMPARED,
    links: [
      'https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow',
      'https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge',
      'https://github.com/panva/openid-client/issues/667',
      'https://github.com/erlef/oidcc/issues/473',
    ],
  },
  salesforce: {
    options: {
      name: 'salesforce',
      displayName: 'Salesforce',
      issuer: 'https://login.salesforce.com',
      scopes: ['openid', 'api', 'refresh_token'],
      pkce: 'S256',
      // Each organization has an API of its own.
      tokenFields: ['instance_url'],
      apiOriginField: { field: 'instance_url', domains: ['salesforce.com'] },
    },
    needs: [],
    compared: COMPARED,
    links: [
      'https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_pkce.htm&type=5',
      'https://developer.salesforce.com/docs/platform/hosted-mcp-servers/guide/create-external-client-app.html',
      'https://github.com/googleworkspace/apps-script-oauth2/issues/10',
      'https://github.com/NangoHQ/nango/issues/327',
    ],
  },
  linkedin: {
    options: {
      name: 'linkedin',
      displayName: 'LinkedIn',
      issuer: 'https://www.linkedin.com/oauth',
      clientAuthentication: 'client_secret_post',
      scopes: ['openid', 'profile'],
      // A code verifier is refused as `invalid_client`, and ID tokens have no nonce.
      pkce: 'off',
      nonce: 'off',
      identitySource: 'user_info',
      apiOrigins: ['https://api.linkedin.com'],
    },
    needs: ['clientSecret'],
    compared: COMPARED,
    links: [
      'https://learn.microsoft.com/en-us/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2',
      'https://learn.microsoft.com/en-us/linkedin/shared/authentication/programmatic-refresh-tokens',
      'https://github.com/authlib/authlib/issues/763',
      'https://github.com/teamhanko/hanko/pull/2405',
      'https://github.com/UsefulSoftwareCo/executor/issues/2087',
    ],
  },
  cognito: {
    options: {
      name: 'cognito',
      displayName: 'Amazon Cognito',
      scopes: ['openid'],
      // Supported, but not announced.
      pkce: 'S256',
    },
    needs: ['issuer'],
    issuerForm: 'https://cognito-idp.<region>.amazonaws.com/<user pool>',
    compared: COMPARED,
    links: [
      'https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html',
      'https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-client-apps.html',
      'https://github.com/PrefectHQ/fastmcp/issues/3739',
    ],
  },
  keycloak: {
    options: {
      name: 'keycloak',
      displayName: 'Keycloak',
      scopes: ['openid'],
      // A revocation ends the logins from one browser, and before version 26.1 all logins of the user.
      revocation: 'grant',
    },
    needs: ['issuer'],
    issuerForm: 'https://<host>/realms/<realm>',
    compared: COMPARED,
    links: [
      'https://www.keycloak.org/securing-apps/oidc-layers',
      'https://github.com/keycloak/keycloak/pull/35696',
      'https://github.com/keycloak/keycloak/issues/26532',
      'https://github.com/keycloak/keycloak/issues/35486',
    ],
  },
};
