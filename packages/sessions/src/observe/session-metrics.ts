import type { Attributes } from '@opentelemetry/api';
import type { InternalEvent } from '../session/session-events.js';
import type { EndReason, SessionKind, SessionRecord } from '../session/session-record.js';
import { ATTRIBUTE } from '../telemetry/conventions.js';
import type { Telemetry } from '../telemetry/telemetry.js';

/** The protocol era of the clients of a session. The session of a user serves clients of both. */
const ERAS: Readonly<Record<SessionKind, '2025' | '2026' | 'both'>> = {
  connection: '2025',
  'owned-connection': '2025',
  handle: '2026',
  'pending-handle': '2026',
  'owner-session': 'both',
};

/** Counts what happens to sessions and their accounts, by their events. */
export class SessionMetrics {
  readonly #telemetry: Telemetry;
  readonly #sessions: ReturnType<Telemetry['upDownCounter']>;
  readonly #durations: ReturnType<Telemetry['histogram']>;
  readonly #signOuts: ReturnType<Telemetry['counter']>;
  readonly #lostAccounts: ReturnType<Telemetry['counter']>;
  readonly #failures: ReturnType<Telemetry['counter']>;
  readonly #refusedTokens: ReturnType<Telemetry['counter']>;
  readonly #limits: ReturnType<Telemetry['counter']>;

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
    this.#sessions = telemetry.upDownCounter('mcp_sessions.sessions');
    this.#durations = telemetry.histogram('mcp.server.session.duration');
    this.#signOuts = telemetry.counter('mcp_sessions.sign_outs');
    this.#lostAccounts = telemetry.counter('mcp_sessions.accounts.lost');
    this.#failures = telemetry.counter('mcp_sessions.provider.failures');
    this.#refusedTokens = telemetry.counter('mcp_sessions.tokens.refused');
    this.#limits = telemetry.counter('mcp_sessions.limits.reached');
  }

  /** Counts an event. */
  handleEvent(event: InternalEvent): void {
    switch (event.type) {
      case 'session.started':
        this.#sessions.add(1, attributesOf(event.kind));
        return;
      case 'session.signed_out':
        this.#signOuts.add(1, { [ATTRIBUTE.reason]: event.reason });
        return;
      case 'session.refused':
        this.#limits.add(1, { [ATTRIBUTE.limit]: `session_${event.reason}` });
        return;
      case 'login.refused':
        this.#limits.add(1, { [ATTRIBUTE.limit]: 'login_rate' });
        return;
      case 'token.refused':
        this.#refusedTokens.add(1, { [ATTRIBUTE.reason]: event.reason });
        return;
      case 'account.reauthentication_required':
        this.#lostAccounts.add(1, {
          [ATTRIBUTE.provider]: event.provider,
          [ATTRIBUTE.reason]: event.failureReason,
        });
        return;
      case 'provider.failed':
        this.#failures.add(1, { [ATTRIBUTE.provider]: event.provider, [ATTRIBUTE.reason]: event.reason });
        return;
      default:
    }
  }

  /** Counts the end of a session. */
  ended({ kind, createdAtMs }: SessionRecord, reason: EndReason): void {
    const attributes = attributesOf(kind);
    this.#sessions.add(-1, attributes);
    this.#durations.record(this.#telemetry.secondsSince(createdAtMs), {
      ...attributes,
      [ATTRIBUTE.reason]: reason,
    });
  }
}

function attributesOf(kind: SessionKind): Attributes {
  // A handle becomes a pending one when another user logs in with it: its end would count for another kind.
  const counted = kind === 'pending-handle' ? 'handle' : kind;
  return { [ATTRIBUTE.era]: ERAS[kind], [ATTRIBUTE.kind]: counted };
}
