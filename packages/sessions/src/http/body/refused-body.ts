import { ErrorCode, errorResponse } from '../../mcp/wire/error-response.js';
import { MAX_JSON_DEPTH, MAX_JSON_ELEMENTS, MAX_MESSAGE_ELEMENTS } from '../http-limits.js';
import type { JsonRefusal } from './json-body.js';

/**
 * The response to a request whose body is refused.
 * @param argumentElements the maximum number of array elements and object keys in the arguments of a tool call
 */
export function refusedBodyResponse(refusal: JsonRefusal, argumentElements: number): Response {
  const { invalidRequest, parse, serverBusy } = ErrorCode;
  switch (refusal) {
    case 'wrong-type':
      return errorResponse(415, invalidRequest, 'Send the request as application/json.');
    case 'too-large':
      return errorResponse(413, invalidRequest, 'The request is larger than 1 MiB.');
    case 'too-many-chunks':
      return errorResponse(
        400,
        invalidRequest,
        'The request has too many small chunks. Send it in larger chunks.',
      );
    case 'memory-full':
      return errorResponse(503, serverBusy, 'The server is receiving too much data. Try again in a second.', {
        headers: { 'retry-after': '1' },
      });
    case 'malformed':
      return errorResponse(400, parse, 'Parse error: the body is not JSON.');
    case 'too-deep':
      return errorResponse(400, invalidRequest, `The JSON is nested deeper than ${MAX_JSON_DEPTH} levels.`);
    case 'too-long-string':
      return errorResponse(
        400,
        invalidRequest,
        'The request contains a string of more than 64 KiB. Only strings in tool arguments and results may be longer.',
      );
    case 'too-many-elements':
      return errorResponse(
        400,
        invalidRequest,
        `The JSON has too many array elements and object keys. The arguments of a tool call may have ${format(argumentElements)}, the rest of the request ${format(MAX_MESSAGE_ELEMENTS)}, or ${format(MAX_JSON_ELEMENTS)} in a batch. Split the request.`,
      );
  }
}

function format(count: number): string {
  return count.toLocaleString('en');
}
