import type { Context, SpanContext } from '@opentelemetry/api';
import { type Api, registeredApi } from './api.js';

const TRACEPARENT = 'traceparent';
const TRACESTATE = 'tracestate';
/** A `traceparent` of version 00 has 55 characters; later versions may append fields (W3C Trace Context, section 3.2). */
const MAX_TRACEPARENT_CHARACTERS = 128;
/** W3C Trace Context, section 3.3.1.5: at least these have to be passed on. */
const MAX_TRACESTATE_CHARACTERS = 512;

/** Reads a field of a carrier by its name. */
type ReadField = (name: string) => unknown;

/**
 * The trace context of a client: `traceparent` and `tracestate` of `_meta` (SEP-414) or of HTTP headers. Baggage is not
 * read: it would reach every API that tools call.
 * @returns `undefined` if there is none, or it is not valid, or no propagator is registered
 */
export function traceContextIn(read: ReadField): SpanContext | undefined {
  const api = registeredApi();
  if (!api) return undefined;
  const traceparent = read(TRACEPARENT);
  if (typeof traceparent !== 'string' || traceparent.length > MAX_TRACEPARENT_CHARACTERS) return undefined;
  const carrier: Record<string, string> = { [TRACEPARENT]: traceparent };
  const tracestate = read(TRACESTATE);
  if (typeof tracestate === 'string' && tracestate.length <= MAX_TRACESTATE_CHARACTERS)
    carrier[TRACESTATE] = tracestate;
  return api.trace.getSpanContext(api.propagation.extract(api.ROOT_CONTEXT, carrier));
}

/** The `traceparent` of the active span, for an API or for a later request. `undefined` without one. */
export function currentTraceparent(): string | undefined {
  const api = registeredApi();
  if (!api) return undefined;
  const active = api.context.active();
  if (api.trace.getSpanContext(active) === undefined) return undefined;
  const carrier: Record<string, string> = {};
  api.propagation.inject(active, carrier);
  return carrier[TRACEPARENT];
}

/** A context whose parent is the span of a `traceparent`. */
export function contextOf({ ROOT_CONTEXT, trace }: Api, traceparent: string | undefined): Context {
  const parent = traceContextIn((name) => (name === TRACEPARENT ? traceparent : undefined));
  return parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}
