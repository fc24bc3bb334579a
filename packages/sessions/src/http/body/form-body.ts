import { MAX_FORM_BYTES } from '../http-limits.js';
import type { BodyMemoryLimit } from './body-memory-limit.js';
import { BodyReader } from './body-reader.js';
import { type BodySource, mediaTypeOf, type SentRequest } from './body-source.js';

/** Reads the fields of a form. A body of another type has no fields. @throws SessionError as {@link BodyReader.read} */
export async function readForm(
  source: BodySource,
  memory: BodyMemoryLimit,
): Promise<URLSearchParams | 'too-large' | 'memory-full'> {
  const body = await new BodyReader(source, { memory, maxBytes: MAX_FORM_BYTES }).read();
  switch (body.kind) {
    case 'too-large':
    case 'memory-full':
      return body.kind;
    case 'text':
      return new URLSearchParams(body.text);
    case 'parsed':
      return new URLSearchParams(isForm(source.request) ? fieldsOf(body.value) : []);
    default:
      return new URLSearchParams();
  }
}

const isForm = ({ headers }: SentRequest) => mediaTypeOf(headers) === 'application/x-www-form-urlencoded';

/** The fields with one value. Parsers store other fields as arrays or objects. */
function fieldsOf(parsed: unknown): [string, string][] {
  if (typeof parsed !== 'object' || parsed === null) return [];
  return Object.entries(parsed).filter((field): field is [string, string] => typeof field[1] === 'string');
}
