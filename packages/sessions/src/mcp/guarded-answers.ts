import {
  isJSONRPCErrorResponse,
  isJSONRPCResultResponse,
  type JSONRPCErrorResponse,
  type JSONRPCMessage,
  type RequestId,
  type Transport,
} from '@modelcontextprotocol/server';
import { AuthorError } from '../errors.js';
import { methodOf, propertyOf } from './json-rpc.js';
import { ErrorCode } from './protocol-error.js';

/**
 * Has every request answered: what a handler returned may look like a result to the SDK, and still be none, or fail
 * when it is written. Then the client gets an internal error.
 */
export function guardAnswers(transport: Transport, onError: (error: unknown) => void): void {
  const send = transport.send.bind(transport);
  transport.send = async (message, options) => {
    const id = answeredIdOf(message);
    if (id === undefined) return send(message, options);
    try {
      if (!isAnswer(message)) throw new AuthorError('The result of a request is no JSON-RPC result.');
      await send(message, options);
    } catch (error) {
      // It rejects as the first time if there is nothing to send on any more.
      await send(unanswerable(id), options);
      onError(error);
    }
  };
}

function answeredIdOf(message: JSONRPCMessage): RequestId | undefined {
  if (methodOf(message) !== undefined) return undefined;
  // The SDK has checked the ids of the requests that it answers.
  return propertyOf(message, 'id') as RequestId | undefined;
}

function isAnswer(message: JSONRPCMessage): boolean {
  return isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message);
}

function unanswerable(id: RequestId): JSONRPCErrorResponse {
  const message =
    'The server could not write its answer. This is a mistake of the server; tell its operator.';
  return { jsonrpc: '2.0', id, error: { code: ErrorCode.internal, message } };
}
