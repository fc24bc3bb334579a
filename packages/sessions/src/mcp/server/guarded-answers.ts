import {
  isJSONRPCErrorResponse,
  isJSONRPCResultResponse,
  type JSONRPCErrorResponse,
  type JSONRPCMessage,
  type RequestId,
  type Transport,
} from '@modelcontextprotocol/server';
import { AuthorError } from '../../errors.js';
import { ErrorCode } from '../wire/error-response.js';
import { methodOf, propertyOf } from '../wire/json-rpc.js';

/**
 * Ensures that every request is answered. A value that the SDK accepts as a result may be invalid, or may not be
 * serializable; the client then gets an internal error.
 */
export function guardAnswers(transport: Transport, onError: (error: unknown) => void): void {
  const send = transport.send.bind(transport);
  transport.send = async (message, options) => {
    const id = answeredIdOf(message);
    if (id === undefined) return send(message, options);
    try {
      if (!isAnswer(message)) throw new AuthorError('The result of a request is not a JSON-RPC result.');
      await send(message, options);
    } catch (error) {
      // This rejects again if the transport is closed.
      await send(unanswerable(id), options);
      onError(error);
    }
  };
}

function answeredIdOf(message: JSONRPCMessage): RequestId | undefined {
  if (methodOf(message) !== undefined) return undefined;
  // The SDK has validated the ids of requests.
  return propertyOf(message, 'id') as RequestId | undefined;
}

function isAnswer(message: JSONRPCMessage): boolean {
  return isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message);
}

function unanswerable(id: RequestId): JSONRPCErrorResponse {
  const message =
    'The server could not serialize its answer. This is an error of the server. Tell its operator.';
  return { jsonrpc: '2.0', id, error: { code: ErrorCode.internal, message } };
}
