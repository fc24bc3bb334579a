import { type McpServer, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { ChangeElsewhere } from '../../session/followed-session.js';
import type { SessionRef } from '../../session/ids.js';
import type { InternalEvent } from '../../session/session-events.js';
import { refusalOf } from '../request/resolved-session.js';
import { currentStatus, type SessionStatusToolOptions } from '../tools/session-status.js';

/** The URI of the session status. It is the same for all clients; each reads the status of its own session. */
export const STATUS_URI = 'session://status';

/** Registers the status of the session, as `session_status` returns it, as a resource. */
export function registerStatusResource(server: McpServer, options: SessionStatusToolOptions): void {
  server.registerResource(
    'session_status',
    STATUS_URI,
    {
      title: 'Session status',
      description: 'Who is logged in, and for how long. Subscribe to it to be notified of changes.',
      mimeType: 'application/json',
    },
    async () => {
      const refusal = refusalOf(options.contexts.get().resolved, true);
      if (refusal) throw new ProtocolError(ProtocolErrorCode.InvalidParams, refusal);
      const text = JSON.stringify(await currentStatus(options));
      return { contents: [{ uri: STATUS_URI, mimeType: 'application/json', text }] };
    },
  );
}

/** The session whose status an event, or a change by another node, changes; `undefined` if it changes none. */
export function statusChangedBy(event: InternalEvent | ChangeElsewhere): SessionRef | undefined {
  switch (event.type) {
    case 'session.signed_out':
    case 'session.ended':
    case 'session.account_lost':
    case 'session.changed':
    case 'session.expires_soon':
    case 'login.started':
    case 'login.failed':
    case 'account.authenticated':
    case 'account.refreshed':
    case 'account.refresh_failed':
    case 'account.expires_soon':
    case 'account.reauthentication_required':
    case 'account.removed':
      return event.ref;
    case 'session.started':
    case 'session.refused':
    case 'login.refused':
    case 'logout.refused':
    case 'provider.failed':
    case 'token.refused':
    case 'session.not_owned':
    case 'account.moved':
    case 'account.nonconforming_answer':
    case 'account.revoked':
      return undefined;
  }
}
