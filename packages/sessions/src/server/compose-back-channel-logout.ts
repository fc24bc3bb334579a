import { LogoutTokenVerifier } from '../access/logout-token.js';
import { ProviderLogouts } from '../account/provider-logout.js';
import type { BackChannelLogoutOptions } from '../login/browser/back-channel-logout.js';
import type { LoginParts } from './compose-logins.js';
import type { ServerEnvironment, SessionParts } from './compose-sessions.js';
import type { SessionsSettings } from './settings.js';

/** Composes the logouts at the providers. A provider whose options name no keys cannot announce any. */
export function composeBackChannelLogout(
  settings: SessionsSettings,
  { clock }: ServerEnvironment,
  { oneTime, providers, registry, refresher, accounts, logins, events }: SessionParts & LoginParts,
): BackChannelLogoutOptions['backChannelLogout'] {
  const verifiers = new Map<string, LogoutTokenVerifier>();
  for (const { name, clientId, clockToleranceSeconds, endpoints } of settings.providers) {
    const provider = providers.get(name);
    if (!provider || (endpoints && endpoints.jwks === undefined)) continue;
    const verifier = new LogoutTokenVerifier({
      issuer: () => provider.logoutTokenIssuer(),
      clientId,
      toleranceSeconds: clockToleranceSeconds,
      clock,
      oneTime,
      requestKeys: () => provider.requestKeys(),
    });
    verifiers.set(name, verifier);
  }
  const logouts = new ProviderLogouts({ registry, refresher, accounts, logins });
  return {
    verifiers,
    signOut: (provider, logout) => logouts.signOut(provider, logout),
    onRefused: (provider, reason) => events.emit({ type: 'logout.refused', provider, reason }),
  };
}
