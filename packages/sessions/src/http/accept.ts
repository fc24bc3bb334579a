/** The media types of the MCP endpoint's answers, as the SDK looks for them in `Accept`. */
export const ANSWERS: readonly string[] = ['application/json', 'text/event-stream'];
/** What most clients send. */
const BY_NAME = ANSWERS.join(', ');

const MEDIA_RANGE = /^\s*([^\s;/]+)\/([^\s;/]+)\s*(?:;(.*))?$/;
const WEIGHT = /(?:^|;)\s*q\s*=\s*([01](?:\.\d*)?)\s*(?=;|$)/i;

/**
 * The media types of the MCP endpoint's answers that a client accepts (RFC 9110 section 12.5.1). The most specific
 * matching range decides, a weight of 0 excludes a type, and without the header both types are accepted.
 */
export function acceptedAnswers(accept: string | null): readonly string[] {
  if (accept === null || accept === BY_NAME || accept.trim() === '') return ANSWERS;
  const ranges = accept.toLowerCase().split(',').flatMap(rangeOf);
  return ANSWERS.filter((answer) => weightOf(answer, ranges) > 0);
}

/** The same request with the accepted media types in `Accept` by name. The SDK does not understand ranges. */
export function acceptingByName(request: Request, accepted: readonly string[]): Request {
  const accept = accepted.join(', ');
  if (request.headers.get('accept') === accept) return request;
  const headers = new Headers(request.headers);
  headers.set('accept', accept);
  return new Request(request.url, { method: request.method, headers, signal: request.signal });
}

interface MediaRange {
  readonly type: string;
  readonly subtype: string;
  readonly weight: number;
}

/** Ignores parameters other than the weight: the answers have none. */
function rangeOf(element: string): MediaRange[] {
  const [, type = '', subtype = '', parameters = ''] = MEDIA_RANGE.exec(element) ?? [];
  return type ? [{ type, subtype, weight: Number(WEIGHT.exec(parameters)?.[1] ?? 1) }] : [];
}

function weightOf(answer: string, ranges: readonly MediaRange[]): number {
  const [type = '', subtype = ''] = answer.split('/');
  const steps = [`${type}/${subtype}`, `${type}/*`, '*/*'];
  for (const step of steps) {
    const fitting = ranges.filter((range) => `${range.type}/${range.subtype}` === step);
    if (fitting.length > 0) return Math.max(...fitting.map(({ weight }) => weight));
  }
  return 0;
}
