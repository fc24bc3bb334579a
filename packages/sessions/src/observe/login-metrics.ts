import type { Attributes } from '@opentelemetry/api';
import { ATTRIBUTE } from '../telemetry/conventions.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { contextOf } from '../telemetry/trace-context.js';

/** A login that has ended. */
export interface EndedLogin {
  readonly provider: string;
  readonly isDevice: boolean;
  readonly startedAtMs: number;
  /** The span of the request that started it. */
  readonly traceparent?: string | undefined;
  readonly outcome: string;
}

/** Measures logins: counts them, and makes a span of each, in the trace of the request that has started it. */
export function measureLogins(telemetry: Telemetry): (login: EndedLogin) => void {
  const count = telemetry.counter('mcp_sessions.logins');
  const duration = telemetry.histogram('mcp_sessions.login.duration');
  return ({ provider, isDevice, startedAtMs, traceparent, outcome }) => {
    const attributes: Attributes = {
      [ATTRIBUTE.provider]: provider,
      [ATTRIBUTE.flow]: isDevice ? 'device' : 'link',
      [ATTRIBUTE.outcome]: outcome,
    };
    telemetry.endedSpan('mcp_sessions.login', {
      parent: contextOf(telemetry.api, traceparent),
      attributes,
      startedAtMs,
    });
    count.add(1, attributes);
    duration.record(telemetry.secondsSince(startedAtMs), attributes);
  };
}
