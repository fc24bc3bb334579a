import type { TokenFaultReason } from '../session/session-events.js';

/** Why a token is refused. */
export interface TokenFault {
  readonly reason: TokenFaultReason;
  /** What is wrong, what this server expects, and what to do. Contains no secret. */
  readonly fault: string;
}

const MAX_SHOWN_CHARACTERS = 100;

export function tokenFault(reason: TokenFaultReason, fault: string): TokenFault {
  return { reason, fault };
}

/** A claim's value for a message: shortened, printable ASCII, without quotation marks. */
export function shownClaim(value: unknown): string {
  const isList = Array.isArray(value) && value.every((each) => typeof each === 'string');
  const text = isList
    ? value.join(', ')
    : typeof value === 'string'
      ? value
      : (JSON.stringify(value) ?? 'nothing');
  const plain = text.slice(0, MAX_SHOWN_CHARACTERS).replaceAll(/[^\x20-\x7E]|["\\`]/g, '?');
  return text.length > MAX_SHOWN_CHARACTERS ? `${plain}...` : plain;
}
