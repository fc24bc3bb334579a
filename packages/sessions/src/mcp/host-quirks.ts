import type { ClientInfo } from './client-traits.js';
import type { Era } from './request-context.js';

/** A host that is known not to do what it declares, or what a login needs. */
interface HostQuirk {
  /** What it calls itself (`clientInfo.name`). */
  readonly client: string;
  /** The newest version that was seen to be so; later ones are given another chance. Absent: all of them. */
  readonly upTo?: string;
  /** The era in which it is so. Absent: both. */
  readonly era?: Era;
  /**
   * - `cannot-be-asked`: it declares URL elicitation, and its user never sees the question.
   * - `process-per-call`: it connects anew for every call.
   */
  readonly quirk: 'cannot-be-asked' | 'process-per-call';
  readonly reason: string;
}

/**
 * Spares users a call that fails. Every client works without an entry here: what it answers, or does not answer,
 * tells the same ({@link ElicitationPolicy}).
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
    reason: 'Each command is a process that connects anew, unless its daemon keeps the connection.',
  },
  {
    client: 'inspector-cli',
    quirk: 'process-per-call',
    reason: 'Each command of the Inspector’s CLI is a process that connects anew.',
  },
];

/** Whether a client is known to declare URL elicitation without asking its user. */
export function cannotBeAsked(info: ClientInfo | undefined, era: Era): boolean {
  return hasQuirk('cannot-be-asked', info, era);
}

/** Whether a client is known to connect anew for every call. */
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

/** Whether a version is not newer than another, as far as that one says: 0.171.3 is up to 0.171. */
function isUpTo(limit: string, version: string): boolean {
  const numbers = version.split('.').map((part) => Number.parseInt(part, 10));
  for (const [index, most] of limit.split('.').map(Number).entries()) {
    const number = numbers[index] ?? 0;
    if (number !== most) return number < most;
  }
  return true;
}
