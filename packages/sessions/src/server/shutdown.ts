import type { TokenRefresher } from '../account/refresh/refresher.js';
import type { RequestsInFlight } from '../http/request-end.js';
import type { Logins } from '../login/logins.js';
import type { Endpoint } from '../mcp/endpoint.js';
import type { RequestContexts } from '../mcp/request/context.js';
import type { Logger } from '../observe/logger.js';
import type { Disposal } from '../session/disposal.js';
import type { DueSessions } from '../session/due-sessions.js';
import type { PresenceVisits } from '../session/presence-visits.js';
import type { SessionEvents } from '../session/session-events.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { ClusterNode } from '../store/cluster.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { Clock } from '../time/clock.js';
import type { Deadlines } from '../time/deadlines.js';
import { DrainTimer } from '../time/drain-timer.js';
import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import type { Lifecycle } from './lifecycle.js';

export interface ShutdownOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lifecycle: Lifecycle;
  readonly endpoint: Endpoint;
  readonly contexts: Pick<RequestContexts, 'close'>;
  readonly calls: RequestsInFlight;
  readonly logins: Logins;
  readonly registry: SessionRegistry;
  readonly due: DueSessions;
  readonly events: SessionEvents;
  readonly disposal: Disposal;
  readonly refresher: TokenRefresher;
  readonly deadlines: Deadlines;
  readonly keys: KeyHierarchy;
  /** Whether sessions outlive this process, so that they do not end here. */
  readonly outlivesProcess: boolean;
  /** Absent if sessions end with this process. */
  readonly presenceVisits: Pick<PresenceVisits, 'stop'> | undefined;
  /** The node of the cluster that this server is; absent without one. */
  readonly node: Pick<ClusterNode, 'close'> | undefined;
  readonly telemetry?: Pick<Telemetry, 'close'> | undefined;
}

/**
 * Closes a server in order: calls finish, sessions end, tokens are revoked, listeners close, keys are wiped. Sessions
 * that outlive the process do not end.
 */
export class Shutdown {
  readonly #options: ShutdownOptions;
  readonly #drain: DrainTimer;
  #done: Promise<void> | undefined;

  constructor(options: ShutdownOptions) {
    this.#options = options;
    this.#drain = new DrainTimer(options.clock);
  }

  get hasBegun(): boolean {
    return this.#done !== undefined;
  }

  /** Begins to close, or shortens the drain times of a shutdown that has begun. */
  run(drainMs: number): Promise<void> {
    if (this.#done) this.#drain.endAfter(drainMs);
    this.#done ??= this.#close(drainMs);
    return this.#done;
  }

  async #close(drainMs: number): Promise<void> {
    const { logger, lifecycle, endpoint, calls, logins, registry, due, deadlines, keys } = this.#options;
    const { events, disposal, refresher, contexts, outlivesProcess, node } = this.#options;
    endpoint.drain();
    logins.stopWaiting();
    due.stop();
    await this.#drain.waitFor(calls.settled(), drainMs);
    const cutCalls = calls.count;
    let notRevoked = 0;
    events.subscribe((event) => {
      if (event.type === 'account.revoked' && event.revocation === 'unconfirmed') notRevoked++;
    });
    if (!outlivesProcess) await registry.endAll('shutdown');
    logins.close();
    await this.#drain.waitFor(
      Promise.all([logins.settled().then(() => disposal.settled()), refresher.settled()]),
      drainMs,
    );
    notRevoked += disposal.pending;
    lifecycle.stop();
    await endpoint.close();
    await lifecycle.close();
    // Sessions that started while the others ended.
    if (!outlivesProcess) await registry.endAll('shutdown');
    logUnfinished(logger, { cutCalls, notRevoked });
    this.#options.presenceVisits?.stop();
    registry.stopFollowing();
    this.#options.telemetry?.close();
    deadlines.clear();
    keys.wipe();
    contexts.close();
    await node?.close();
  }
}

/** The calls and revocations that a server had not finished when it closed. */
interface Unfinished {
  /** The number of calls that were cut off. */
  readonly cutCalls: number;
  /** The number of logins whose revocation the provider has not confirmed. */
  readonly notRevoked: number;
}

/** Logs a warning for each number that is not 0. */
function logUnfinished(logger: Logger, { cutCalls, notRevoked }: Unfinished): void {
  if (cutCalls > 0) {
    logger.warn(
      { event: 'shutdown.calls_cut', calls: cutCalls },
      `${cutCalls} ${cutCalls === 1 ? 'call was' : 'calls were'} cut off: the drain time ended before the answer.`,
    );
  }
  if (notRevoked > 0) {
    logger.warn(
      { event: 'shutdown.not_revoked', logins: notRevoked },
      `${notRevoked} ${notRevoked === 1 ? 'login was' : 'logins were'} not revoked: the tokens are wiped here, but the provider did not confirm their revocation before the drain time ended. They stay valid at the provider until they expire.`,
    );
  }
}
