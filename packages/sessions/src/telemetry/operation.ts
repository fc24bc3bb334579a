import type { Attributes, Context, Counter, Histogram, Link, Span, SpanContext } from '@opentelemetry/api';
import { isThenable } from '../time/promises.js';
import { BoundedLabel } from './bounded-label.js';
import { ATTRIBUTE, TOOL_ERROR } from './conventions.js';
import type { Telemetry } from './telemetry.js';

/** A request or a notification, as its client has sent it. */
export interface Received {
  /** From a bounded set. */
  readonly method: string;
  /** From a bounded set. Absent: the client has not named it. */
  readonly revision: string | undefined;
  /** The trace context of `_meta`. */
  readonly sent: SpanContext | undefined;
  /** The trace context of HTTP headers. */
  readonly transported: SpanContext | undefined;
}

/** The id of a session in the audit log. It gives access to nothing. */
type LogIdOf = (ref: string) => string;

/** The requests that a server serves, as spans and in a histogram. */
export class Operations {
  readonly telemetry: Telemetry;
  readonly duration: Histogram;
  readonly refusals: Counter;
  readonly logIdOf: LogIdOf;
  readonly tools: BoundedLabel = new BoundedLabel();
  readonly errors: BoundedLabel = new BoundedLabel();

  constructor(telemetry: Telemetry, logIdOf: LogIdOf) {
    this.telemetry = telemetry;
    this.logIdOf = logIdOf;
    this.duration = telemetry.histogram('mcp.server.operation.duration');
    this.refusals = telemetry.counter('mcp_sessions.limits.reached');
  }

  begin(received: Received): Operation {
    return new Operation(this, received);
  }
}

/** The HTTP status of requests above a limit, or that a closing server refuses. */
const LIMIT_STATUSES: ReadonlySet<number> = new Set([429, 503]);

/**
 * A request while it is served. The parent of its span is the context that the client has sent with the message; the
 * context of the HTTP request is linked. Without the former, the latter is the parent.
 */
export class Operation {
  readonly #operations: Operations;
  readonly #received: Received;
  readonly #startedAtMs: number;
  readonly #span: Span;
  readonly #context: Context;
  #tool: string | undefined;
  #errorType: string | undefined;
  #handlers = 0;
  #isAnswered = false;
  #isOver = false;

  constructor(operations: Operations, received: Received) {
    const { telemetry } = operations;
    const { context, trace, SpanKind } = telemetry.api;
    const { method, revision, sent, transported } = received;
    this.#operations = operations;
    this.#received = received;
    this.#startedAtMs = telemetry.now();
    const ambient = trace.getSpanContext(context.active()) ?? transported;
    const links: Link[] = sent && ambient ? [{ context: ambient }] : [];
    const parent = sent ?? ambient;
    const parentContext = parent ? trace.setSpanContext(context.active(), parent) : context.active();
    const attributes: Attributes = { [ATTRIBUTE.method]: method };
    if (revision !== undefined) attributes[ATTRIBUTE.protocolVersion] = revision;
    this.#span = telemetry.tracer.startSpan(
      method,
      { kind: SpanKind.SERVER, attributes, links },
      parentContext,
    );
    this.#context = trace.setSpan(parentContext, this.#span);
  }

  /** Runs a function in the context of the span. */
  run<T>(serve: () => T): T {
    return this.#operations.telemetry.api.context.with(this.#context, serve);
  }

  /** Notes the tool that is called, which the server has. @param session the reference of its session, if it has one */
  called(tool: string, session: string | undefined): void {
    this.#tool = this.#operations.tools.valueOf(tool);
    if (!this.#span.isRecording()) return;
    this.#span.updateName(`${this.#received.method} ${this.#tool}`);
    this.#span.setAttribute(ATTRIBUTE.toolName, this.#tool);
    this.#span.setAttribute(ATTRIBUTE.operationName, 'execute_tool');
    if (session !== undefined)
      this.#span.setAttribute(ATTRIBUTE.sessionId, this.#operations.logIdOf(session));
  }

  /** Runs the author's handler of the tool as a span of its own. */
  runTool(handler: () => unknown): unknown {
    const { tracer, api } = this.#operations.telemetry;
    const tool = this.#tool ?? '';
    const attributes = { [ATTRIBUTE.toolName]: tool, [ATTRIBUTE.operationName]: 'execute_tool' };
    const span = tracer.startSpan(`execute_tool ${tool}`, { attributes }, this.#context);
    const end = (isError: boolean) => {
      if (isError) this.#fail(span, TOOL_ERROR);
      span.end();
    };
    const returnedWith = (result: unknown) => {
      const isError = isErrorResult(result);
      // On the plain lane, no handler of the SDK returns it.
      if (isError) this.failed(TOOL_ERROR);
      end(isError);
    };
    try {
      const returned = api.context.with(api.trace.setSpan(this.#context, span), handler);
      if (!isThenable(returned)) {
        returnedWith(returned);
        return returned;
      }
      // A thenable may do its work each time that `then` is called.
      const result = Promise.resolve(returned);
      result.then(returnedWith, () => end(true));
      return result;
    } catch (error) {
      end(true);
      throw error;
    }
  }

  /** Notes that a handler of the request has begun. */
  handlerBegan(): void {
    this.#handlers++;
  }

  /** Notes that a handler has returned a result. */
  handlerReturned(result: unknown): void {
    if (isErrorResult(result)) this.failed(TOOL_ERROR);
    this.#handlerEnded();
  }

  /** Notes that a handler has failed. @param code of the JSON-RPC error */
  handlerFailed(code: unknown): void {
    this.failed(Number.isSafeInteger(code) ? String(code) : TOOL_ERROR);
    this.#handlerEnded();
  }

  #handlerEnded(): void {
    this.#handlers--;
    if (this.#isAnswered && this.#handlers <= 0) this.#end();
  }

  /** Notes that the request fails. */
  failed(errorType: string): void {
    this.#errorType ??= this.#operations.errors.valueOf(errorType);
  }

  /** Notes that the request is refused, because a limit is reached. */
  refused(status: number): void {
    this.failed(String(status));
    if (LIMIT_STATUSES.has(status)) this.#operations.refusals.add(1, { [ATTRIBUTE.limit]: 'request' });
  }

  /** Ends the operation; a request whose answer is a stream ends when its handler has. */
  answered(isStream: boolean): void {
    this.#isAnswered = true;
    if (!isStream || this.#handlers <= 0) this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { method, revision } = this.#received;
    if (this.#errorType !== undefined) this.#fail(this.#span, this.#errorType);
    this.#span.end();
    const { telemetry, duration } = this.#operations;
    const attributes: Attributes = { [ATTRIBUTE.method]: method };
    if (revision !== undefined) attributes[ATTRIBUTE.protocolVersion] = revision;
    if (this.#tool !== undefined) {
      attributes[ATTRIBUTE.toolName] = this.#tool;
      attributes[ATTRIBUTE.operationName] = 'execute_tool';
    }
    if (this.#errorType !== undefined) attributes[ATTRIBUTE.errorType] = this.#errorType;
    duration.record(telemetry.secondsSince(this.#startedAtMs), attributes);
  }

  #fail(span: Span, errorType: string): void {
    span.setAttribute(ATTRIBUTE.errorType, errorType);
    span.setStatus({ code: this.#operations.telemetry.api.SpanStatusCode.ERROR });
  }
}

/** What an author returns may throw when it is read. */
function isErrorResult(result: unknown): boolean {
  try {
    return typeof result === 'object' && result !== null && 'isError' in result && result.isError === true;
  } catch {
    return true;
  }
}
