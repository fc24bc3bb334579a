import type { RefreshPolicyOptions } from '../account/refresh/policy.js';
import { SessionError } from '../errors.js';
import type { RevokeTokens } from '../session/disposal.js';
import { failureIn } from '../session/provider-failures.js';
import { ATTRIBUTE, OTHER } from '../telemetry/conventions.js';
import type { Telemetry } from '../telemetry/telemetry.js';

/** The requests that refresh and revoke tokens. */
export interface ProviderRequests {
  readonly sendRefresh: RefreshPolicyOptions['sendRefresh'];
  readonly revoke: RevokeTokens;
}

/** The same requests, each as a span, with its duration in a histogram. Without telemetry, the requests themselves. */
export function measuredRequests(
  telemetry: Telemetry | undefined,
  { sendRefresh, revoke }: ProviderRequests,
): ProviderRequests {
  if (!telemetry) return { sendRefresh, revoke };
  const refreshes = telemetry.histogram('mcp_sessions.refresh.duration');
  const revocations = telemetry.histogram('mcp_sessions.revocation.duration');
  return {
    sendRefresh: (provider, ...request) =>
      telemetry.span(
        {
          name: 'mcp_sessions.refresh',
          attributes: { [ATTRIBUTE.provider]: provider },
          histogram: refreshes,
          outcomeOf: ({ kind }) => ({ [ATTRIBUTE.outcome]: kind }),
          outcomeOfError: (error) => ({ [ATTRIBUTE.outcome]: reasonOf(error) }),
        },
        () => sendRefresh(provider, ...request),
      ),
    revoke: (provider, tokens) =>
      telemetry.span(
        {
          name: 'mcp_sessions.revocation',
          attributes: { [ATTRIBUTE.provider]: provider },
          histogram: revocations,
          outcomeOf: (outcome) => ({ [ATTRIBUTE.outcome]: outcome }),
          outcomeOfError: (error) => ({ [ATTRIBUTE.outcome]: reasonOf(error) }),
        },
        () => revoke(provider, tokens),
      ),
  };
}

/** A reason from a bounded set. */
function reasonOf(error: unknown): string {
  return failureIn(error)?.reason ?? (error instanceof SessionError ? error.code : OTHER);
}
