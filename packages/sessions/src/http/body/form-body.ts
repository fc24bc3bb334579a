import { MAX_FORM_BYTES } from '../http-limits.js';
import type { BodyMemoryLimit } from './body-memory-limit.js';
import { type BodySource, mediaTypeOf, readBody } from './request-body.js';

/** Reads the body of a form. One that is no form has no fields. @throws SessionError as {@link readBody} */
export async function readForm(
  source: BodySource,
  room: BodyMemoryLimit,
): Promise<URLSearchParams | 'too-large' | 'no-room'> {
  const body = await readBody(source, { room, maxBytes: MAX_FORM_BYTES, scan: undefined, turns: undefined });
  switch (body.kind) {
    case 'too-large':
    case 'no-room':
      return body.kind;
    case 'text':
      return new URLSearchParams(body.text);
    case 'parsed':
      return new URLSearchParams(isForm(source.request) ? fieldsOf(body.value) : []);
    default:
      return new URLSearchParams();
  }
}

const isForm = ({ headers }: Request) => mediaTypeOf(headers) === 'application/x-www-form-urlencoded';

/** Fields that were given once; parsers make lists and objects of others. */
function fieldsOf(parsed: unknown): [string, string][] {
  if (typeof parsed !== 'object' || parsed === null) return [];
  return Object.entries(parsed).filter((field): field is [string, string] => typeof field[1] === 'string');
}
