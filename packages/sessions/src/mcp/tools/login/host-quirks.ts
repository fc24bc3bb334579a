import type { ClientInfo } from '../../request/client-capabilities.js';
import type { Era } from '../../request/context.js';

/** A host that is known not to do what it declares, or not to support what a login needs. */
interface HostQuirk {
  /** The client's name (`clientInfo.name`). */
  readonly client: string;
  /** The newest version with the quirk; later versions are tried again. Absent: all versions. */
  readonly upTo?: string;
  /** The era in which the client has the quirk. Absent: both. */
  readonly era?: Era;
  /**
   * - `cannot-be-asked`: the client declares URL elicitation, but its user never sees the question.
   * - `process-per-call`: the client opens a new connection for every call.
   */
  readonly quirk: 'cannot-be-asked' | 'process-per-call';
  readonly reason: string;
}

/**
 * The known quirks. An entry spares users a failed call. Clients without an entry work, too: {@link ElicitationPolicy}
 * learns the same from their answers.
 */
const HOST_QUIRKS: readonly HostQuirk[] = [
  {
    client: 'codex-mcp-client',
    upTo: '0.171',
    era: '2025',
    quirk: 'cannot-be-asked',
    reason: 'Codex answers `decline` to a URL elicitation without asking its user, in every mode.',
  },
  {
    client: 'copilot-cli',
    upTo: '1.0',
    era: '2026',
    quirk: 'cannot-be-asked',
    reason: 'Copilot CLI takes `input_required` for a malformed result, and shows its model an error.',
  },
  {
    client: 'mcporter',
    quirk: 'process-per-call',
    reason: 'Each command is a process with its own connection, unless the daemon keeps the connection.',
  },
  {
    client: 'inspector-cli',
    quirk: 'process-per-call',
    reason: 'Each command of the Inspector’s CLI is a process with its own connection.',
  },
];

/** Whether a client is known to declare URL elicitation without asking its user. */
export function cannotBeAsked(info: ClientInfo | undefined, era: Era): boolean {
  return hasQuirk('cannot-be-asked', info, era);
}

/** Whether a client is known to open a new connection for every call. */
export function connectsForEachCall(info: ClientInfo | undefined, era: Era): boolean {
  return hasQuirk('process-per-call', info, era);
}

function hasQuirk(quirk: HostQuirk['quirk'], info: ClientInfo | undefined, era: Era): boolean {
  return HOST_QUIRKS.some(
    (host) =>
      host.quirk === quirk &&
      host.client === info?.name &&
      (host.era === undefined || host.era === era) &&
      (host.upTo === undefined || isUpTo(host.upTo, info.version)),
  );
}

/** Whether a version is not newer than a limit, by the components of the limit: 0.171.3 is not newer than 0.171. */
function isUpTo(limit: string, version: string): boolean {
  const numbers = version.split('.').map((part) => Number.parseInt(part, 10));
  for (const [index, most] of limit.split('.').map(Number).entries()) {
    const number = numbers[index] ?? 0;
    if (number !== most) return number < most;
  }
  return true;
}
