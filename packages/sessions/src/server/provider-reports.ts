import { isBearer } from '../access/access-options.js';
import {
  DEFAULT_CALLBACK_PATH,
  providerCallbackPath,
  SIGN_IN_CALLBACK_PATH,
} from '../login/browser/authorization.js';
import { backChannelLogoutPath } from '../login/browser/back-channel-logout.js';
import { checkProvider } from '../provider/provider-check.js';
import type { CheckRuntime } from '../provider/provider-contact.js';
import type { ProviderReport } from '../provider/provider-report.js';
import { providerSettings } from '../provider/provider-settings.js';
import type { SessionsSettings } from './settings.js';

/**
 * Checks all providers, and in bearer access the authorization server of the clients. Never rejects.
 * @param publicUrl absent while it is not known
 */
export function reportProviders(
  { providers, access }: SessionsSettings,
  runtime: CheckRuntime,
  publicUrl: URL | undefined,
): Promise<readonly ProviderReport[]> {
  const at = (path: string) => publicUrl && new URL(`.${path}`, publicUrl);
  const reports = providers.map((settings, index) => {
    const redirectUri = at(index === 0 ? DEFAULT_CALLBACK_PATH : providerCallbackPath(settings.name));
    const logoutUri = at(backChannelLogoutPath(settings.name));
    return checkProvider(settings, { redirectUri, logoutUri }, runtime);
  });
  if (!isBearer(access)) return Promise.all(reports);
  const { issuer, signIn } = access;
  // Public metadata needs no registration.
  const anonymous = providerSettings({ name: 'access', issuer, pkce: 'S256', clientId: 'anonymous' });
  reports.push(checkProvider(anonymous, {}, { ...runtime, isAnonymous: true }));
  if (signIn) {
    const settings = providerSettings({ name: 'access.signIn', issuer, ...signIn });
    reports.push(checkProvider(settings, { redirectUri: at(SIGN_IN_CALLBACK_PATH) }, runtime));
  }
  return Promise.all(reports);
}
