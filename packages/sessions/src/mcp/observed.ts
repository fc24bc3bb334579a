import { PROTOCOL_VERSION_META_KEY, SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server';
import { OTHER } from '../telemetry/conventions.js';
import type { Operation, Operations } from '../telemetry/operation.js';
import { traceContextIn } from '../telemetry/trace-context.js';
import type { PlainRequest } from './request/mcp-request.js';
import { methodOf, propertyOf } from './wire/json-rpc.js';
import { isPlainAnswer, type PlainAnswer } from './wire/plain-answer.js';
import { isSseResponse } from './wire/sse-stream.js';

const REVISIONS: ReadonlySet<unknown> = new Set([...SUPPORTED_PROTOCOL_VERSIONS, '2026-07-28']);

/** The methods that clients send, in both eras. Others count as one, so that no client makes up time series. */
const METHODS: ReadonlySet<string> = new Set([
  'completion/complete',
  'initialize',
  'logging/setLevel',
  'notifications/cancelled',
  'notifications/initialized',
  'notifications/progress',
  'notifications/roots/list_changed',
  'ping',
  'prompts/get',
  'prompts/list',
  'resources/list',
  'resources/read',
  'resources/subscribe',
  'resources/templates/list',
  'resources/unsubscribe',
  'server/discover',
  'subscriptions/listen',
  'tools/call',
  'tools/list',
]);

/** Begins to measure a request or a notification; `undefined` for responses and batches. */
export function beginOperation(
  operations: Operations,
  { body, headers }: Pick<PlainRequest, 'body' | 'headers'>,
): Operation | undefined {
  const method = methodOf(body);
  if (typeof method !== 'string') return undefined;
  const params = propertyOf(body, 'params');
  const meta = propertyOf(params, '_meta');
  const revision =
    propertyOf(meta, PROTOCOL_VERSION_META_KEY) ??
    headers.get('mcp-protocol-version') ??
    (method === 'initialize' ? propertyOf(params, 'protocolVersion') : undefined);
  return operations.begin({
    method: METHODS.has(method) ? method : OTHER,
    revision: typeof revision === 'string' && REVISIONS.has(revision) ? revision : undefined,
    sent: traceContextIn((name) => propertyOf(meta, name)),
    transported: traceContextIn((name) => headers.get(name)),
  });
}

/** Notes how a request was answered. */
export function endOperation(operation: Operation, answer: PlainAnswer | Response): void {
  if (isPlainAnswer(answer)) {
    operation.answered(false);
    return;
  }
  if (answer.status >= 400) operation.refused(answer.status);
  operation.answered(isSseResponse(answer));
}
