import { connectionError } from '../provider-faults.js';
import type { Quirk, QuirkHooks } from '../quirk-hooks.js';
import { empty, html } from './answers.js';

/** Reasons for which a login fails, and metadata at one of two addresses or at none. */
export type LoginQuirk =
  | 'certificate_untrusted'
  | 'name_unknown'
  | 'connection_refused'
  | 'issuer_trailing_slash'
  | 'issuer_custom_domain'
  | 'issuer_tenant_common'
  | 'http_endpoints'
  | 'pkce_not_announced'
  | 'callback_invalid_scope'
  | 'callback_consent_required'
  | 'callback_server_error'
  | 'callback_without_state'
  | 'callback_without_code'
  | 'callback_user_cancelled_login'
  | 'oidc_metadata_html_200'
  | 'oidc_metadata_500'
  | 'oidc_metadata_502'
  | 'oidc_metadata_404'
  | 'oidc_metadata_401'
  | 'oidc_metadata_403'
  | 'oidc_metadata_302'
  | 'no_metadata'
  | 'iss_in_callback'
  | 'wrong_iss_in_callback'
  | 'no_iss_in_callback';

function unreachable(does: string, code: string): Quirk {
  const connect = () => {
    throw connectionError(code);
  };
  return { does, seen: 'own', hooks: { connect } };
}

function refusal(error: string, description: string, seen = 'own'): Quirk {
  const authorization: QuirkHooks['authorization'] = ({ callback: { searchParams } }) => {
    searchParams.delete('code');
    searchParams.set('error', error);
    searchParams.set('error_description', description);
  };
  return { does: `sends the error \`${error}\` to the callback`, seen, hooks: { authorization } };
}

function oidcMetadata(answer: string, respond: () => Response): Quirk {
  const does = `answers the address of OpenID Connect Discovery with ${answer}, and has RFC 8414 metadata`;
  const wellKnown: QuirkHooks['wellKnown'] = (which) => (which === 'oidc' ? respond() : undefined);
  return { does, seen: 'own', hooks: { wellKnown } };
}

function returnedIssuer(issuerOf: (announced: string) => string): Partial<QuirkHooks> {
  return {
    metadata: (metadata) => ({ ...metadata, authorization_response_iss_parameter_supported: true }),
    authorization: ({ callback, facts }) => callback.searchParams.set('iss', issuerOf(facts.issuer)),
  };
}

const SINGLE_PAGE_APP = '<!DOCTYPE html><html><body><div id="root"></div></body></html>';
const TENANT = '9188040d-6c67-4c5b-b112-36a304b66dad';

export const LOGIN_QUIRKS: Readonly<Record<LoginQuirk, Quirk>> = {
  certificate_untrusted: unreachable(
    'has a certificate that is not trusted',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ),
  name_unknown: unreachable('has a host name that does not exist', 'ENOTFOUND'),
  connection_refused: unreachable('refuses connections', 'ECONNREFUSED'),
  issuer_trailing_slash: {
    does: 'names its issuer with a trailing slash',
    seen: 'own',
    // A URL without a path ends with a slash in any case.
    provider: { issuer: 'https://provider.test/tenant' },
    settings: ({ issuer }) => ({ issuer: `${issuer}/` }),
    hooks: { metadata: (metadata, { issuer }) => ({ ...metadata, issuer: `${issuer}/` }) },
  },
  issuer_custom_domain: {
    does: 'names an issuer on another host than that of its metadata',
    seen: 'own',
    settings: ({ issuer }) => ({ issuer: `${issuer}/.well-known/openid-configuration` }),
    hooks: { metadata: (metadata) => ({ ...metadata, issuer: 'https://tenant.provider.test' }) },
  },
  issuer_tenant_common: {
    does: 'names an issuer that contains `{tenantid}`, and the tenant in ID tokens',
    seen: 'https://learn.microsoft.com/en-us/answers/questions/218113',
    provider: { issuer: 'https://login.microsoftonline.com/common/v2.0', idTokens: true },
    hooks: {
      metadata: (metadata) => ({ ...metadata, issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0' }),
      claims: (claims) => ({
        ...claims,
        iss: `https://login.microsoftonline.com/${TENANT}/v2.0`,
        tid: TENANT,
      }),
    },
  },
  http_endpoints: {
    does: 'names endpoints that use http',
    seen: 'own',
    hooks: {
      metadata: (metadata) =>
        Object.fromEntries(
          Object.entries(metadata).map(([name, value]) => [
            name,
            name.endsWith('_endpoint') ? String(value).replace('https:', 'http:') : value,
          ]),
        ),
    },
  },
  pkce_not_announced: {
    does: 'supports PKCE, and does not announce it',
    seen: 'https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html',
    settings: { pkce: 'S256' },
    hooks: { metadata: ({ code_challenge_methods_supported: _, ...metadata }) => metadata },
  },
  callback_invalid_scope: refusal('invalid_scope', 'The scope profile is not enabled for this application'),
  callback_consent_required: refusal('consent_required', 'An administrator has to consent'),
  callback_server_error: refusal('server_error', 'Something went wrong'),
  callback_without_state: {
    does: 'sends an error to the callback without `state`',
    seen: 'own',
    hooks: {
      authorization: ({ callback: { searchParams } }) => {
        searchParams.delete('code');
        searchParams.delete('state');
        searchParams.set('error', 'unauthorized_client');
        searchParams.set('error_description', 'The application is not approved');
      },
    },
  },
  callback_without_code: {
    does: 'sends the user back with neither a code nor an error',
    seen: 'own',
    hooks: { authorization: ({ callback: { searchParams } }) => searchParams.delete('code') },
  },
  callback_user_cancelled_login: refusal(
    'user_cancelled_login',
    'The user cancelled LinkedIn login',
    'https://github.com/UsefulSoftwareCo/executor/issues/2087',
  ),
  oidc_metadata_html_200: oidcMetadata('200 and a web page', () => html(SINGLE_PAGE_APP, 200)),
  oidc_metadata_500: oidcMetadata('500', () => empty(500)),
  oidc_metadata_502: oidcMetadata('502 and a web page', () =>
    html('<html><body><h1>502 Bad Gateway</h1></body></html>', 502),
  ),
  oidc_metadata_404: oidcMetadata('404', () => empty(404)),
  oidc_metadata_401: oidcMetadata('401', () => empty(401)),
  oidc_metadata_403: oidcMetadata('403', () => empty(403)),
  oidc_metadata_302: oidcMetadata(
    'a redirect',
    () => new Response(null, { status: 302, headers: { location: 'https://provider.test/' } }),
  ),
  no_metadata: {
    does: 'answers both addresses of metadata with 200 and a web page',
    seen: 'own',
    settings: ({ endpoints }) => ({ endpoints, pkce: 'S256' }),
    hooks: { wellKnown: () => html(SINGLE_PAGE_APP, 200) },
  },
  iss_in_callback: {
    does: 'sends its issuer to the callback (RFC 9207)',
    seen: 'https://www.rfc-editor.org/rfc/rfc9207',
    hooks: returnedIssuer((issuer) => issuer),
  },
  wrong_iss_in_callback: {
    does: 'sends the issuer of another provider to the callback',
    seen: 'https://www.rfc-editor.org/rfc/rfc9207',
    hooks: returnedIssuer(() => 'https://other.test'),
  },
  no_iss_in_callback: {
    does: 'announces that it sends its issuer to the callback (RFC 9207), and does not',
    seen: 'https://www.rfc-editor.org/rfc/rfc9207',
    hooks: {
      metadata: (metadata) => ({ ...metadata, authorization_response_iss_parameter_supported: true }),
    },
  },
};
