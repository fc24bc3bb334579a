import { hasClientSecret } from '../client-credentials.js';
import type { Quirk, QuirkGrant, QuirkHooks, QuirkRequest } from '../quirk-hooks.js';
import { text } from './answers.js';

/** What a revocation ends, what a user grants, and what an API demands. */
export type GrantQuirk =
  | 'revocation_ends_all_grants'
  | 'revocation_access_token_unsupported'
  | 'revocation_dead_is_400'
  | 'no_revocation_endpoint'
  | 'revocation_by_delete'
  | 'revocation_by_json'
  | 'revocation_by_bearer'
  | 'scopes_unticked'
  | 'scopes_in_callback'
  | 'api_insufficient_scope'
  | 'api_insufficient_claims'
  | 'api_403_dead_token'
  | 'scopes_by_comma'
  | 'scopes_in_user_scope'
  | 'realm_id_in_callback'
  | 'form_post';

const DEMANDED_SCOPE = 'files:write';
/** https://learn.microsoft.com/entra/identity-platform/claims-challenge */
const DEMANDED_CLAIMS = JSON.stringify({ access_token: { nbf: { essential: true, value: '1604106651' } } });

/** The scopes that a user grants who unticks the last one, unless the provider asks for the consent again. */
function tickedScopes({ scopes, request }: QuirkGrant): readonly string[] {
  return request.get('prompt') === 'consent' ? scopes : scopes.slice(0, -1);
}

function denied(callback: URL, error: string, description: string): void {
  callback.searchParams.delete('code');
  callback.searchParams.set('error', error);
  callback.searchParams.set('error_description', description);
}

const revocationError = (error: string) => Response.json({ error }, { status: 400 });

function jsonField({ headers, body }: QuirkRequest, name: string): string | undefined {
  if (!headers.get('content-type')?.startsWith('application/json')) return undefined;
  const value: unknown = JSON.parse(body)[name];
  return typeof value === 'string' ? value : undefined;
}

const SPACES = / /;
const demandsScope: QuirkHooks['api'] = (_request, { scopes }) =>
  scopes.includes(DEMANDED_SCOPE)
    ? undefined
    : new Response(null, {
        status: 403,
        headers: {
          'www-authenticate': `Bearer realm="api", error="insufficient_scope", scope="${DEMANDED_SCOPE}"`,
        },
      });
const demandsClaims: QuirkHooks['api'] = (_request, { request }) =>
  request.get('claims')?.includes('1604106651')
    ? undefined
    : new Response(null, {
        status: 401,
        headers: {
          'www-authenticate': `Bearer realm="", authorization_uri="https://provider.test/authorize", error="insufficient_claims", claims="${Buffer.from(DEMANDED_CLAIMS).toString('base64')}"`,
        },
      });

export const GRANT_QUIRKS: Readonly<Record<GrantQuirk, Quirk>> = {
  revocation_ends_all_grants: {
    does: 'ends every grant of the user when one token is revoked',
    seen: 'https://github.com/keycloak/keycloak/pull/35696',
    settings: { revocation: 'grant' },
    hooks: {
      revoke: ({ endAll }) => {
        endAll();
        return undefined;
      },
    },
  },
  revocation_access_token_unsupported: {
    does: 'refuses to revoke access tokens with 400 `unsupported_token_type`',
    seen: 'https://docs.aws.amazon.com/cognito/latest/developerguide/revocation-endpoint.html',
    hooks: {
      revoke: ({ isAccessToken }) => (isAccessToken ? revocationError('unsupported_token_type') : undefined),
    },
  },
  revocation_dead_is_400: {
    does: 'answers the revocation of a dead token with 400 `invalid_token`',
    seen: 'own',
    hooks: { revoke: ({ isActive }) => (isActive ? undefined : revocationError('invalid_token')) },
  },
  no_revocation_endpoint: {
    does: 'has no revocation endpoint',
    seen: 'https://www.linkedin.com/oauth/.well-known/openid-configuration',
    hooks: { metadata: ({ revocation_endpoint: _, ...metadata }) => metadata },
  },
  revocation_by_delete: {
    does: 'revokes with DELETE and the access token as JSON',
    seen: 'https://docs.github.com/en/rest/apps/oauth-applications',
    provider: { clientSecret: 'secret' },
    hooks: {
      revocationToken: (request) =>
        request.method === 'DELETE' && hasClientSecret(request)
          ? jsonField(request, 'access_token')
          : undefined,
    },
  },
  revocation_by_json: {
    does: 'revokes with a token as JSON',
    seen: 'https://developers.notion.com/reference/revoke-token',
    provider: { clientSecret: 'secret' },
    hooks: {
      revocationToken: (request) =>
        request.method === 'POST' && hasClientSecret(request) ? jsonField(request, 'token') : undefined,
    },
  },
  revocation_by_bearer: {
    does: 'revokes the access token of the Authorization header',
    seen: 'https://docs.slack.dev/reference/methods/auth.revoke',
    hooks: {
      revocationToken: ({ method, headers }) =>
        method === 'POST' ? /^Bearer (\S+)$/.exec(headers.get('authorization') ?? '')?.[1] : undefined,
    },
  },
  scopes_unticked: {
    does: 'lets the user leave out the last scope, unless the request has `prompt=consent`',
    seen: 'own',
    client: { scopes: ['profile', 'calendar.read'] },
    hooks: { tokens: (answer, { grant }) => ({ ...answer, scope: tickedScopes(grant).join(' ') }) },
  },
  scopes_in_callback: {
    does: 'names the granted scopes in the callback, of which the user leaves out the last',
    seen: 'https://developers.strava.com/docs/authentication',
    client: { scopes: ['profile', 'calendar.read'] },
    hooks: {
      authorization: ({ callback, grant }) =>
        callback.searchParams.set('scope', tickedScopes(grant).join(',')),
    },
  },
  api_insufficient_scope: {
    does: 'has an API that demands another scope with 403 `insufficient_scope`',
    seen: 'https://www.rfc-editor.org/rfc/rfc6750#section-3.1',
    hooks: { api: demandsScope },
  },
  api_insufficient_claims: {
    does: 'has an API that demands claims with 401 `insufficient_claims`',
    seen: 'https://learn.microsoft.com/entra/identity-platform/claims-challenge',
    provider: { idTokens: true },
    hooks: { api: demandsClaims },
  },
  api_403_dead_token: {
    does: 'has an API that answers a dead access token with 403',
    seen: 'own',
    hooks: { dead: (kind) => (kind === 'access' ? text('Forbidden', 403) : undefined) },
  },
  scopes_by_comma: {
    does: 'separates scopes by commas, and refuses spaces',
    seen: 'https://developers.strava.com/docs/authentication',
    client: { scopes: ['profile', 'calendar.read'] },
    settings: { scopeSeparator: ',' },
    hooks: {
      authorization: ({ request, callback }) => {
        if (SPACES.test(`${request.get('scope')}`)) denied(callback, 'invalid_scope', 'Invalid scope');
      },
      tokens: (answer, { grant }) => ({ ...answer, scope: grant.scopes.join(',') }),
    },
  },
  scopes_in_user_scope: {
    does: 'expects the scopes in the parameter `user_scope`',
    seen: 'https://docs.slack.dev/reference/methods/oauth.v2.access',
    settings: { scopeParameter: 'user_scope' },
    hooks: {
      authorization: ({ request, callback }) => {
        if (request.has('scope') || !request.has('user_scope')) {
          denied(callback, 'invalid_scope', 'No user scopes requested');
        }
      },
    },
  },
  realm_id_in_callback: {
    does: 'sends the parameter `realmId` to the callback',
    seen: 'https://arcticjs.dev/providers/intuit',
    settings: { callbackFields: ['realmId'] },
    hooks: { authorization: ({ callback }) => callback.searchParams.set('realmId', '4620816365000000000') },
  },
  form_post: {
    does: 'requires `response_mode=form_post`',
    seen: 'https://developer.apple.com/documentation/signinwithapplerestapi/request-an-authorization-to-the-sign-in-with-apple-server',
    settings: { responseMode: 'form_post' },
    hooks: {
      authorization: ({ request, callback }) => {
        if (request.get('response_mode') !== 'form_post') {
          denied(callback, 'invalid_request', 'response_mode must be form_post when scope is requested.');
        }
      },
    },
  },
};
