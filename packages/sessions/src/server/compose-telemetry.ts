import type { RequestScheduler } from '../http/body/request-scheduler.js';
import type { RequestsInFlight } from '../http/request-end.js';
import { SessionMetrics } from '../observe/session-metrics.js';
import type { ClusterNode } from '../store/cluster.js';
import { ATTRIBUTE } from '../telemetry/conventions.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { SessionParts } from './compose-sessions.js';

export interface MeasuredParts
  extends Pick<SessionParts, 'events' | 'registry' | 'disposal' | 'countStored'> {
  readonly calls: RequestsInFlight;
  readonly scheduler: Pick<RequestScheduler, 'waiting'>;
  readonly node: Pick<ClusterNode, 'isReady'> | undefined;
}

/** Measures what happens in a server, and what it has. */
export function composeTelemetry(
  telemetry: Telemetry,
  { events, registry, disposal, countStored, calls, scheduler, node }: MeasuredParts,
): void {
  const metrics = new SessionMetrics(telemetry);
  events.subscribe((event) => metrics.handleEvent(event));
  registry.onEnded((record, reason) => metrics.ended(record, reason));
  telemetry.gauge('mcp_sessions.requests.in_flight', () => [{ value: calls.count }]);
  telemetry.gauge('mcp_sessions.requests.waiting', () => [{ value: scheduler.waiting }]);
  telemetry.gauge('mcp_sessions.revocations.pending', () => [{ value: disposal.pending }]);
  if (node) telemetry.gauge('mcp_sessions.engine.ready', () => [{ value: node.isReady ? 1 : 0 }]);
  if (countStored)
    telemetry.gauge('mcp_sessions.sessions.stored', () =>
      Object.entries(countStored()).map(([state, value]) => ({
        value,
        attributes: { [ATTRIBUTE.state]: state },
      })),
    );
}
