import type { ProviderSettings } from './provider-settings.js';

type Signing = Pick<ProviderSettings, 'name' | 'issuer' | 'endpoints' | 'clientKey' | 'clientAssertion'>;

/**
 * A provider that could use the assertions of this server at another provider: both have the same key, and the audience
 * of assertions for one of them is not known to differ (audience injection, CVE-2025-27370). An audience from discovered
 * metadata is what that provider says.
 * @returns the names of both; `undefined` if there is none
 */
export function sharedClientKey(
  providers: readonly Signing[],
): readonly [name: string, other: string] | undefined {
  for (const [index, provider] of providers.entries()) {
    const other = providers.slice(index + 1).find((each) => areExchangeable(provider, each));
    if (other) return [provider.name, other.name];
  }
  return undefined;
}

function areExchangeable(one: Signing, other: Signing): boolean {
  if (one.issuer === other.issuer || !one.clientKey?.d || one.clientKey.d !== other.clientKey?.d)
    return false;
  const [audience, otherAudience] = [audienceOf(one), audienceOf(other)];
  return audience === undefined || otherAudience === undefined || audience === otherAudience;
}

/** The audience that the options determine. */
function audienceOf({ issuer, endpoints, clientAssertion: { audience } }: Signing): string | undefined {
  if (audience === 'token_endpoint') return endpoints?.token;
  if (audience !== 'issuer') return audience;
  // Metadata at a given address may name any issuer.
  return issuer.includes('/.well-known/') && !endpoints ? undefined : issuer;
}
