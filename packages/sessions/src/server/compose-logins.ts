import { isBearer } from '../access/access-options.js';
import { InitiatorVerifier } from '../login/initiator-verifier.js';
import { Logins } from '../login/logins.js';
import { measureLogins } from '../observe/login-metrics.js';
import { Provider } from '../provider/provider.js';
import { providerSettings } from '../provider/provider-settings.js';
import { providerFailed } from '../session/session-events.js';
import type { ServerEnvironment, SessionParts } from './compose-sessions.js';
import type { PublicUrl } from './public-url.js';
import type { SessionsSettings } from './settings.js';

/** The logins that add accounts to sessions. */
export interface LoginParts {
  readonly logins: Logins;
}

/** Composes the logins at all providers. */
export function composeLogins(
  settings: SessionsSettings,
  { clock, random, fetch, telemetry, onError }: ServerEnvironment,
  { providers, accounts, registry, disposal, vault, events, rates, attempts, messages }: SessionParts,
  publicUrl: PublicUrl,
): LoginParts {
  const { lifetimes, limits } = settings;
  const bearer = isBearer(settings.access) ? settings.access : undefined;
  const [{ name: defaultProvider }] = settings.providers;
  const signIn =
    bearer?.signIn &&
    new Provider(providerSettings({ issuer: bearer.issuer, ...bearer.signIn }), {
      clock,
      fetch,
      onError,
      report: (failure) => events.emit(providerFailed(failure)),
    });
  const logins = new Logins({
    providers,
    defaultProvider,
    initiatorVerifier: new InitiatorVerifier({ subjectClaim: bearer?.subjectClaim ?? 'sub', signIn }),
    accounts,
    registry,
    disposal,
    vault,
    events,
    clock,
    rates,
    attempts,
    messages,
    random,
    lifetimes,
    limits,
    publicUrl: publicUrl.get,
    reachable: () => publicUrl.reachable(),
    onError,
    onEnded: telemetry && measureLogins(telemetry),
  });
  return { logins };
}
