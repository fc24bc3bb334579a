import type { Blueprint } from './blueprint.js';
import { canariesIn, TOKEN_PREFIX, visitorsIn } from './canaries.js';
import type { Answer } from './client.js';

/** The text of the server for an unexpected error, with any status. */
const FAILURE = 'The server failed to process';
/** Texts of programming errors, which may be in the result of a tool. */
const PROGRAMMING_ERROR =
  /Cannot (?:read|set) propert|is not (?:a function|a constructor|defined|iterable)|call stack/;
/** Node closes the connection for invalid or oversized HTTP. */
const LARGE_BYTES = 64 * 1024;

/** Describes the rule that a response breaks, if any. */
export function brokenRule(
  request: Blueprint,
  answer: Answer,
  secrets: readonly string[],
): string | undefined {
  const { status, headers, text, end } = answer;
  if (end === 'hung') return 'it hangs';
  if (end === 'broken' && !mayBreak(request)) return `the connection broke: ${answer.error}`;
  if (request.isUnwelcome && status >= 200 && status < 300) return `the token is let in: ${status}`;
  if (status >= 500 && !mayBeFull(request, answer)) return `the answer is ${status}: ${text.slice(0, 500)}`;
  if (text.includes(FAILURE)) return `the server failed: ${text.slice(0, 500)}`;
  const programmingError = PROGRAMMING_ERROR.exec(text)?.[0];
  if (programmingError !== undefined && !sent(request, programmingError))
    return `the server stumbled: ${text.slice(0, 500)}`;
  const everything = `${Object.values(headers).join('\n')}\n${text}`;
  if (everything.includes(TOKEN_PREFIX)) return 'the answer contains a token of the provider';
  const seen = canariesIn(everything);
  for (const member of seen) {
    if (member !== request.owner) return `the answer shows the session of member ${member}`;
  }
  const isTold = request.visitor !== undefined || request.showsOwner;
  for (const visitor of visitorsIn(everything)) {
    if (isTold && visitor !== request.visitor) return `the answer shows the user of login ${visitor}`;
  }
  for (const [member, secret] of secrets.entries()) {
    const isOwn = member === request.owner || sent(request, secret);
    if (!isOwn && everything.includes(secret)) return `the answer contains the secret of member ${member}`;
  }
  if (request.showsOwner && end === 'complete' && !seen.has(request.owner ?? -1)) {
    return `${status} does not show the session of member ${request.owner}: ${text.slice(0, 500)}`;
  }
  return undefined;
}

/** Whether a request passed the guards. */
export function passedGuards({ status, text }: Answer): boolean {
  // Responses of Node's parser have no body.
  if (status === 0 || (status === 400 && text === '')) return false;
  if (status === 405 || status === 413 || status === 415 || status === 431 || status === 417) return false;
  return !GUARDS.some((refusal) => text.includes(refusal));
}

const GUARDS = [
  'does not accept that host name',
  'requests from pages of that origin',
  'There is nothing here',
  'the body is not JSON',
  'nested deeper than',
  'Form rejected',
];

/** A server may refuse a body without reading it. A client that still sends may not receive the response. */
function mayBreak({ body = '', headers }: Blueprint): boolean {
  return body.length > LARGE_BYTES || headers.flat().join('').length > LARGE_BYTES / 8;
}

/** A guest may have reached a limit of connections or streams. */
function mayBeFull({ credential, owner }: Blueprint, { status, headers }: Answer): boolean {
  return (
    credential !== undefined && owner === undefined && status === 503 && headers['retry-after'] !== undefined
  );
}

/** An error may quote the id of the request. */
function sent({ body = '', headers, path }: Blueprint, secret: string): boolean {
  return (
    body.includes(secret) || path.includes(secret) || headers.some(([, value]) => value.includes(secret))
  );
}
