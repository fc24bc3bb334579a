import * as oidc from 'openid-client';
import type { ProviderFailure } from '../session/provider-failures.js';
import type { Clock } from '../time/clock.js';
import { type RandomSource, randomToken } from '../vault/random.js';
import { Secret } from '../vault/secret.js';
import { authorizationUrl, isPushed } from './authorization-request.js';
import { credentialsIn } from './credentials.js';
import type { ProviderConnection } from './provider-connection.js';
import { endpointOf, failureOf } from './provider-failure.js';
import type { ProviderSettings } from './provider-settings.js';
import { metadataOf } from './server-metadata.js';

/** The addresses of this server that are registered at the provider. */
export interface RegisteredAddresses {
  /** Absent while this server's address is not known. */
  readonly redirectUri?: URL | undefined;
  /** Absent if the provider cannot announce logouts. */
  readonly logoutUri?: URL | undefined;
}

export interface CheckRuntime {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly fetch: typeof fetch;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly wallClock?: () => number;
  /** Names the proxy that requests to a URL go through. Default: none. */
  readonly proxyFor?: (url: URL) => string | undefined;
  /** Whether to read the metadata only, without a registration. Default: false. */
  readonly isAnonymous?: boolean;
}

/** What came of the requests. */
export interface Contact {
  readonly configuration: oidc.Configuration | undefined;
  /** Why there is no metadata. */
  readonly discovery: ProviderFailure | undefined;
  /** The answer to a token request with a random code. */
  readonly token: ProviderFailure | undefined;
  /** The answer to a pushed authorization request, if logins send one. */
  readonly pushed: ProviderFailure | undefined;
}

const PLACEHOLDER_URI = new URL('http://127.0.0.1/callback');

/** Sends the requests of a check: for the metadata, and for tokens with a random code. */
export async function contactProvider(
  settings: ProviderSettings,
  connection: ProviderConnection,
  { addresses, runtime }: { addresses: RegisteredAddresses; runtime: CheckRuntime },
): Promise<Contact> {
  const { name: provider } = settings;
  const secrets = credentialsIn(settings);
  let configuration: oidc.Configuration;
  try {
    configuration = await connection.configured();
  } catch (error) {
    const discovery = failureOf(error, { provider, step: 'discovery', endpoint: settings.issuer, secrets });
    return { configuration: undefined, discovery, token: undefined, pushed: undefined };
  }
  const nothingSent = { configuration, discovery: undefined, token: undefined, pushed: undefined };
  if (runtime.isAnonymous) return nothingSent;
  const metadata = metadataOf(configuration);
  const failing = async (step: 'token' | 'pushed_authorization', send: () => Promise<unknown>) => {
    try {
      await send();
      return undefined;
    } catch (error) {
      return failureOf(error, { provider, step, endpoint: endpointOf(step, metadata), secrets });
    }
  };
  const redirectUri = addresses.redirectUri ?? PLACEHOLDER_URI;
  const secret = () => Secret.fromString(randomToken(runtime.random));
  const token = await failing('token', () => {
    const code = randomToken(runtime.random);
    const form = {
      code,
      redirect_uri: redirectUri.href,
      ...(settings.pkce !== 'off' && { code_verifier: randomToken(runtime.random) }),
    };
    return oidc.genericGrantRequest(configuration, 'authorization_code', form);
  });
  const pushed = isPushed(configuration, settings)
    ? await failing('pushed_authorization', () => {
        const checks = { state: secret(), nonce: secret(), codeVerifier: secret() };
        return authorizationUrl(configuration, settings, { redirectUri, checks, scopes: settings.scopes });
      })
    : undefined;
  return { ...nothingSent, token, pushed };
}
