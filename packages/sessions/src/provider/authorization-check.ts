import { type RandomSource, randomToken } from '../vault/random.js';
import { Secret } from '../vault/secret.js';
import { authorizationUrl, isPushed } from './authorization-request.js';
import { assertSuccess } from './authorization-response.js';
import { ProviderConnection } from './provider-connection.js';
import type { CheckRuntime, Contact, RegisteredAddresses } from './provider-contact.js';
import { addressOf, failureOf, placeOf } from './provider-failure.js';
import { failed, NO_METADATA, type ProviderCheck, result } from './provider-report.js';
import type { ProviderSettings } from './provider-settings.js';

const NAME = 'authorization';

/**
 * Sends the request of a login, as a browser does whose user is not logged in at the provider. A provider that rejects
 * the client or its scopes sends such a browser back with an error (RFC 6749 section 4.1.2.1).
 */
export async function authorization(
  settings: ProviderSettings,
  { configuration }: Contact,
  { redirectUri }: RegisteredAddresses,
  runtime: CheckRuntime,
): Promise<ProviderCheck> {
  if (!configuration) return result(NAME, 'unknown', NO_METADATA);
  if (settings.deviceFlow === 'only') return result(NAME, 'unused', 'the device flow has no such request');
  if (isPushed(configuration, settings))
    return result(NAME, 'unused', 'the request is sent to the provider directly');
  if (!redirectUri) return result(NAME, 'unknown', 'the address of this server is not known yet');
  const { random, clock, fetch } = runtime;
  const { scopes, name: provider } = settings;
  const url = await authorizationUrl(configuration, settings, {
    redirectUri,
    checks: { state: secret(random), nonce: secret(random), codeVerifier: secret(random) },
    scopes,
  });
  let response: Response;
  try {
    response = await new ProviderConnection(settings, clock, fetch).get(url.href, 'text/html');
  } catch {
    return result(NAME, 'unknown', 'this server does not reach the login page; browsers may');
  }
  const answer = callbackIn(response, url, redirectUri);
  try {
    if (answer?.has('error')) assertSuccess(answer, configuration.serverMetadata(), provider);
  } catch (error) {
    const failure = failureOf(error, { provider, ...placeOf('authorization', configuration) });
    if (failure.outcome !== 'denied') return failed(NAME, failure);
  }
  const { status } = response;
  if (status < 400) return result(NAME, 'ok', `the provider does not reject the request (${status})`);
  return result(NAME, 'unknown', `the provider answered ${status} to a request without a user`, {
    advice:
      'If a login shows an error of the provider, compare the client id and the redirect URI with the registration.',
  });
}

/** The parameters with which the provider sends the browser back at once. `undefined`: it does not. */
function callbackIn({ headers }: Response, url: URL, redirectUri: URL): URLSearchParams | undefined {
  const location = headers.get('location') ?? '';
  if (location === '' || !URL.canParse(location, url)) return undefined;
  const { href, searchParams } = new URL(location, url);
  return addressOf(href) === addressOf(redirectUri.href) ? searchParams : undefined;
}

function secret(random: RandomSource): Secret {
  return Secret.fromString(randomToken(random));
}
