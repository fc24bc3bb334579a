import { z } from 'zod';
import type { ProviderSettings } from './provider-settings.js';

/** The endpoints of the metadata that this server may use. */
export const ENDPOINTS = [
  'authorization_endpoint',
  'token_endpoint',
  'userinfo_endpoint',
  'revocation_endpoint',
  'device_authorization_endpoint',
  'pushed_authorization_request_endpoint',
  'introspection_endpoint',
  'jwks_uri',
] as const;

export type EndpointName = (typeof ENDPOINTS)[number];

/** The endpoints that every login needs. */
export function endpointsOfLogins({
  deviceFlow,
}: Pick<ProviderSettings, 'deviceFlow'>): readonly EndpointName[] {
  return deviceFlow === 'only' ? ['token_endpoint'] : ['authorization_endpoint', 'token_endpoint'];
}

/** Further fields that openid-client compares or reads. */
const FLAGS = [
  'authorization_response_iss_parameter_supported',
  'require_pushed_authorization_requests',
] as const;

/** The lists of the metadata that this server or openid-client reads. */
const LISTS = [
  'code_challenge_methods_supported',
  'id_token_signing_alg_values_supported',
  'scopes_supported',
  'token_endpoint_auth_methods_supported',
] as const;

/** The metadata without fields of the wrong type, which count as absent. */
export async function withoutInvalidFields(response: Response): Promise<Response> {
  const { status, headers } = response;
  const { data: metadata } = metadataSchema.safeParse(await response.clone().json().catch(ignore));
  if (!metadata) return response;
  const isUrl = (value: unknown) => typeof value === 'string' && URL.canParse(value);
  const isList = (value: unknown) => listSchema.safeParse(value).success;
  for (const name of [...ENDPOINTS, 'issuer']) if (!isUrl(metadata[name])) delete metadata[name];
  for (const name of LISTS) if (!isList(metadata[name])) delete metadata[name];
  for (const name of FLAGS) if (typeof metadata[name] !== 'boolean') delete metadata[name];
  return new Response(JSON.stringify(metadata), { status, headers });
}

const metadataSchema = z.record(z.string(), z.unknown());
const listSchema = z.array(z.string());

/** What is no JSON, openid-client refuses. */
function ignore(): undefined {
  return undefined;
}
