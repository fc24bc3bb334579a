import { Transform } from 'node:stream';
import { parseJSONRPCMessage, STDIO_DEFAULT_MAX_BUFFER_SIZE } from '@modelcontextprotocol/server';
import { ErrorCode } from './wire/error-response.js';
import { propertyOf } from './wire/json-rpc.js';

/** A line that is not a JSON-RPC message, and the error that answers it. */
export interface RejectedLine {
  /** `null` if the id is unknown (JSON-RPC 2.0 section 5). */
  readonly id: string | number | null;
  readonly code: number;
  readonly message: string;
  /** Whether the line is answered. A line that looks like a response is not. */
  readonly isAnswered: boolean;
}

const NEWLINE = 0x0a;
const BYTE_ORDER_MARK = /^\uFEFF/;

const NOT_JSON =
  'This line is not JSON. Send every message as one line of JSON, and nothing else on this stream.';
const BATCH = 'This server does not accept batches over stdio. Send every message on its own line.';
const TOO_LONG =
  'A line is longer than 10 MiB, so the connection ends. Send large content in several requests.';
const NOT_AN_OBJECT = 'This line is not a JSON-RPC message: a message is an object.';
const NULL_ID = 'The id of a request must be a string or an integer, not null.';
const NOT_A_MESSAGE =
  'This is not a JSON-RPC 2.0 message: it needs `jsonrpc: "2.0"`, a `method` and, as a request, an `id` that is a string or an integer.';

/**
 * Passes on lines that are JSON-RPC messages, and calls `onRejected` for the others, which the SDK would drop silently.
 * Skips a byte order mark and empty lines.
 */
export function validLines(onRejected: (line: RejectedLine) => void): Transform {
  let unfinished: Buffer[] = [];
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      let rest = chunk;
      for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE)) {
        const line = Buffer.concat([...unfinished, rest.subarray(0, end)]);
        unfinished = [];
        size = 0;
        rest = rest.subarray(end + 1);
        const message = messageIn(line.toString('utf8').replace(BYTE_ORDER_MARK, ''), onRejected);
        if (message !== undefined) this.push(`${message}\n`);
      }
      if (rest.length > 0) unfinished.push(rest);
      size += rest.length;
      if (size > STDIO_DEFAULT_MAX_BUFFER_SIZE) {
        // The SDK's transport refuses lines of this length and closes the connection, so this happens once.
        onRejected({ id: null, code: ErrorCode.invalidRequest, message: TOO_LONG, isAnswered: true });
        this.push(Buffer.concat(unfinished));
        unfinished = [];
      }
      done();
    },
  });
}

/** The line if it is a message; `undefined` otherwise. */
function messageIn(line: string, onRejected: (line: RejectedLine) => void): string | undefined {
  if (line.trim() === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    onRejected({ id: null, code: ErrorCode.parse, message: NOT_JSON, isAnswered: true });
    return undefined;
  }
  try {
    parseJSONRPCMessage(value);
    return line;
  } catch {
    onRejected(invalidRequest(value));
    return undefined;
  }
}

function invalidRequest(value: unknown): RejectedLine {
  const id = propertyOf(value, 'id');
  const hasMethod = propertyOf(value, 'method') !== undefined;
  const looksLikeResponse = ['result', 'error'].some((name) => propertyOf(value, name) !== undefined);
  return {
    id: typeof id === 'string' || typeof id === 'number' ? id : null,
    code: ErrorCode.invalidRequest,
    message: whyInvalid(value, id),
    isAnswered: hasMethod || !looksLikeResponse,
  };
}

function whyInvalid(value: unknown, id: unknown): string {
  if (Array.isArray(value)) return BATCH;
  if (typeof value !== 'object' || value === null) return NOT_AN_OBJECT;
  return id === null ? NULL_ID : NOT_A_MESSAGE;
}
