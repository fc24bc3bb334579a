import * as oidc from 'openid-client';
import { ProviderError, printable, withoutSecrets } from '../session/provider-failures.js';
import { addressOf } from './provider-failure.js';

const MAX_ISSUER_LENGTH = 200;

/**
 * Checks the issuer of an authorization response (RFC 9207), and that the response is no error (RFC 6749 section
 * 4.1.2.1). An error without the issuer counts: it can only end the login.
 * @throws ProviderError `response_issuer`; AuthorizationResponseError
 */
export function assertSuccess(
  response: URLSearchParams,
  metadata: oidc.ServerMetadata,
  provider: string,
): void {
  const { issuer, authorization_response_iss_parameter_supported: isIssuerSent } = metadata;
  const iss = response.get('iss');
  const isError = response.has('error');
  const secrets = [response.get('code') ?? '', response.get('state') ?? ''];
  if (iss === null ? isIssuerSent === true && !isError : iss !== issuer) {
    throw new ProviderError({
      provider,
      step: 'authorization',
      reason: 'response_issuer',
      outcome: 'refused',
      endpoint: addressOf(metadata.authorization_endpoint),
      claim: 'iss',
      expected: printable(issuer, MAX_ISSUER_LENGTH),
      ...(iss !== null && { received: printable(withoutSecrets(iss, secrets), MAX_ISSUER_LENGTH) }),
    });
  }
  if (isError) throw new oidc.AuthorizationResponseError('The response is an error.', { cause: response });
}
