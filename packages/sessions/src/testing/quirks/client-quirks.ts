import { generateKeyPairSync } from 'node:crypto';
import { verifiedAssertion } from '../client-credentials.js';
import type { Quirk } from '../quirk-hooks.js';

/** How clients authenticate and what their requests contain. */
export type ClientQuirk =
  | 'refuses_code_verifier'
  | 'basic_not_decoded'
  | 'basic_form_decoded'
  | 'assertion_audience_token_endpoint'
  | 'assertion_x5t'
  | 'only_client_secret_post'
  | 'par_required'
  | 'resource_required';

/** The API that tokens are for. */
const RESOURCE = 'https://api.test';

/** Each character of base64 that a form encodes. */
const ENCODED_SECRET = 'Zm9v+YmFy/a-b_c.d~e=';
const THUMBPRINT = 'bGlmZXRpbWUgb2YgYSBjZXJ0';
/** The client's key, new in each process. */
const CLIENT_KEY = {
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  alg: 'ES256',
};

export const CLIENT_QUIRKS: Readonly<Record<ClientQuirk, Quirk>> = {
  refuses_code_verifier: {
    does: 'rejects a code verifier with 401 `invalid_client`',
    seen: 'https://github.com/teamhanko/hanko/pull/2405',
    provider: { idTokens: true, clientSecret: 'secret' },
    settings: { pkce: 'off' },
    hooks: {
      request: ({ kind, form }) =>
        kind === 'code' && form.has('code_verifier')
          ? Response.json(
              { error: 'invalid_client', error_description: 'Client authentication failed' },
              { status: 401 },
            )
          : undefined,
    },
  },
  basic_not_decoded: {
    does: 'compares Basic credentials without form-decoding them',
    seen: 'https://github.com/panva/oauth4webapi/issues/148',
    provider: { clientSecret: ENCODED_SECRET },
    settings: { clientAuthentication: 'client_secret_basic_raw' },
    hooks: {
      authenticates: ({ headers, facts: { clientId, clientSecret } }) =>
        headers.get('authorization') ===
        `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
    },
  },
  basic_form_decoded: {
    does: 'form-decodes Basic credentials, as RFC 6749 says',
    seen: 'https://github.com/panva/oauth4webapi/issues/199',
    provider: { clientSecret: ENCODED_SECRET },
    hooks: {},
  },
  assertion_audience_token_endpoint: {
    does: 'requires the token endpoint as the audience of client assertions',
    seen: 'https://github.com/panva/openid-client/issues/667',
    client: { clientKey: CLIENT_KEY },
    settings: { clientAssertion: { audience: 'token_endpoint' } },
    hooks: {
      authenticates: (request) =>
        verifiedAssertion(request, CLIENT_KEY)?.claims.aud === request.facts.endpoints.token,
    },
  },
  assertion_x5t: {
    does: 'requires the thumbprint of a certificate in the header of client assertions',
    seen: 'https://github.com/panva/openid-client/issues/667',
    client: { clientKey: CLIENT_KEY },
    settings: { clientAssertion: { header: { x5t: THUMBPRINT } } },
    hooks: {
      authenticates: (request) => verifiedAssertion(request, CLIENT_KEY)?.header.x5t === THUMBPRINT,
    },
  },
  only_client_secret_post: {
    does: 'accepts the client secret in the form only, and announces that',
    seen: 'https://github.com/punkpeye/mcp-remote/issues/184',
    provider: { clientSecret: 'secret' },
    hooks: {
      metadata: (metadata) => ({
        ...metadata,
        token_endpoint_auth_methods_supported: ['client_secret_post'],
      }),
      authenticates: ({ form, facts }) => form.get('client_secret') === facts.clientSecret,
    },
  },
  par_required: {
    does: 'requires pushed authorization requests (RFC 9126)',
    seen: 'https://www.rfc-editor.org/rfc/rfc9126',
    hooks: {
      metadata: (metadata, { endpoints }) => ({
        ...metadata,
        pushed_authorization_request_endpoint: endpoints.pushedAuthorization,
        require_pushed_authorization_requests: true,
      }),
      authorization: ({ isPushed, callback: { searchParams } }) => {
        if (isPushed) return;
        searchParams.delete('code');
        searchParams.set('error', 'invalid_request');
        searchParams.set('error_description', 'Pushed Authorization Request is required');
      },
    },
  },
  resource_required: {
    does: 'requires the API that tokens are for in every authorization and token request (RFC 8707)',
    seen: 'https://www.rfc-editor.org/rfc/rfc8707',
    settings: { resource: RESOURCE },
    hooks: {
      authorization: ({ request, callback: { searchParams } }) => {
        if (request.get('resource') === RESOURCE) return;
        searchParams.delete('code');
        searchParams.set('error', 'invalid_target');
        searchParams.set('error_description', 'A resource is required');
      },
      request: ({ kind, form }) =>
        (kind === 'code' || kind === 'refresh') && form.get('resource') !== RESOURCE
          ? Response.json({ error: 'invalid_target' }, { status: 400 })
          : undefined,
    },
  },
};
