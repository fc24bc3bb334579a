import type { Reply } from './engine.js';

/** A list in a reply. @throws TypeError if it is none */
export function listOf(reply: Reply): readonly Reply[] {
  if (Array.isArray(reply)) return reply;
  throw new TypeError('The engine has answered something else than a list.');
}

/** A text in a reply. @throws TypeError if it is none */
export function textIn(reply: Reply): string {
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (typeof reply === 'number') return String(reply);
  throw new TypeError('The engine has answered something else than a text.');
}

/** Bytes in a reply. @throws TypeError if there are none */
export function bytesIn(reply: Reply): Buffer {
  if (Buffer.isBuffer(reply)) return reply;
  throw new TypeError('The engine has answered something else than bytes.');
}

export function numberIn(reply: Reply): number {
  return Number(textIn(reply));
}

/** Whether a value in a reply is absent. */
export function isAbsent(reply: Reply): reply is null | undefined {
  return reply === null || reply === undefined;
}
