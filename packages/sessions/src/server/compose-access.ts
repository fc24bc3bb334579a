import { type Access, OpenAccess } from '../access/access.js';
import { type AccessSettings, isBearer } from '../access/access-options.js';
import { BearerAccess } from '../access/bearer-access.js';
import { TokenVerifier } from '../access/token-verifier.js';
import { MCP_PATH } from '../http/base-path.js';
import type { Limits } from '../limits/limits.js';
import { RateLimiter } from '../limits/rate-limiter.js';
import { providerSettings } from '../provider/provider-settings.js';
import { providerFailed, type SessionEvents } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import type { Deadlines } from '../time/deadlines.js';
import { sharedLoad } from '../time/promises.js';

export interface ComposeAccessOptions {
  readonly publicUrl: () => URL;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly limits: Pick<Limits, 'refusedTokensPerMinute'>;
  readonly fetch: typeof fetch;
  readonly events: SessionEvents;
}

/** Metadata is public, so reading it needs no registration. */
const ANONYMOUS = { clientId: 'anonymous' };

/** Composes what decides which clients the endpoint accepts. */
export function composeAccess(
  settings: AccessSettings,
  { publicUrl, clock, deadlines, limits, fetch, events }: ComposeAccessOptions,
): Access {
  if (!isBearer(settings)) return new OpenAccess(settings === 'open-to-network');
  const { issuer, introspection, subjectClaim, requiredScopes } = settings;
  // No authorization code is requested here, so support for PKCE does not matter.
  const server = providerSettings({ issuer, pkce: 'S256', ...(introspection ?? ANONYMOUS) });
  /** The first request loads openid-client. */
  const authorizationServer = sharedLoad(async () => {
    const { AuthorizationServer } = await import('../provider/authorization-server.js');
    return new AuthorizationServer({
      settings: server,
      clock,
      fetch,
      report: (failure) => events.emit(providerFailed(failure)),
    });
  });
  const verifier = new TokenVerifier({
    tokenIssuer: {
      requestKeys: async () => (await authorizationServer()).requestKeys(),
      introspect: introspection && (async (token) => (await authorizationServer()).introspect(token)),
    },
    expectations: () => ({
      issuer,
      subjectClaim,
      clientIds: settings.clientIds,
      sessionClaim: settings.sessionClaim,
      audience: settings.audience ?? new URL(`.${MCP_PATH}`, publicUrl()).href,
    }),
    clock,
  });
  return new BearerAccess({
    issuerMetadata: async () => (await authorizationServer()).metadata(),
    verify: (token) => verifier.verify(token),
    isSelfContained: (token) => verifier.isSelfContained(token),
    requiredScopes,
    refusedTokens: new RateLimiter({ perMinute: limits.refusedTokensPerMinute, clock, deadlines }),
    clock,
    onRefused: ({ reason, fault }) => events.emit({ type: 'token.refused', reason, fault }),
  });
}
