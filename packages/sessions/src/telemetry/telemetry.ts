import type {
  Attributes,
  Context,
  Counter,
  Histogram,
  Meter,
  ObservableResult,
  Span,
  Tracer,
  UpDownCounter,
} from '@opentelemetry/api';
import type { Clock } from '../time/clock.js';
import { type Api, registeredApi } from './api.js';
import { DURATION_BOUNDARIES } from './conventions.js';
import {
  type CounterName,
  type GaugeName,
  type HistogramName,
  METRICS,
  type MetricName,
  type UpDownCounterName,
} from './metric-list.js';

/** The name of the instrumentation scope. */
const SCOPE = 'mcp-sessions';

/** A value of a gauge. */
export interface Measurement {
  readonly value: number;
  readonly attributes?: Attributes;
}

/** What a span of {@link Telemetry.span} measures. */
export interface Measured<T> {
  readonly name: string;
  readonly attributes: Attributes;
  readonly histogram: Histogram;
  /** The attributes that only the result shows. */
  readonly outcomeOf: (result: T) => Attributes;
  /** The attributes of an error, with values of a bounded set. */
  readonly outcomeOfError: (error: unknown) => Attributes;
}

/**
 * The spans and metrics of a server, by the SDK that the application has registered at `@opentelemetry/api`. Nothing of
 * it exists without an SDK, so that nothing is measured and nothing is allocated.
 */
export class Telemetry {
  readonly api: Api;
  readonly tracer: Tracer;
  readonly #meter: Meter;
  readonly #clock: Clock;
  readonly #ends: (() => void)[] = [];

  /** @returns `undefined` if no SDK is registered */
  static registered(clock: Clock): Telemetry | undefined {
    const api = registeredApi();
    if (!api) return undefined;
    const provider = api.trace.getTracerProvider();
    // The API gives tracers that do nothing until an SDK is registered.
    const hasTraces =
      !('getDelegateTracer' in provider && typeof provider.getDelegateTracer === 'function') ||
      provider.getDelegateTracer(SCOPE) !== undefined;
    const meter = api.metrics.getMeterProvider().getMeter(SCOPE);
    return hasTraces || meter !== api.createNoopMeter() ? new Telemetry(api, meter, clock) : undefined;
  }

  private constructor(api: Api, meter: Meter, clock: Clock) {
    this.api = api;
    this.tracer = api.trace.getTracer(SCOPE);
    this.#meter = meter;
    this.#clock = clock;
  }

  /** The time, for durations. */
  now(): number {
    return this.#clock.now();
  }

  /** The seconds since a time. */
  secondsSince(startedAtMs: number): number {
    return Math.max(0, this.#clock.now() - startedAtMs) / 1000;
  }

  histogram(name: HistogramName): Histogram {
    const advice = { explicitBucketBoundaries: [...DURATION_BOUNDARIES] };
    return this.#meter.createHistogram(name, { ...optionsOf(name), advice });
  }

  counter(name: CounterName): Counter {
    return this.#meter.createCounter(name, optionsOf(name));
  }

  upDownCounter(name: UpDownCounterName): UpDownCounter {
    return this.#meter.createUpDownCounter(name, optionsOf(name));
  }

  /** Reads a gauge whenever metrics are collected, until `close`. */
  gauge(name: GaugeName, read: () => readonly Measurement[]): void {
    const gauge = this.#meter.createObservableGauge(name, optionsOf(name));
    const observe = (result: ObservableResult) => {
      for (const { value, attributes } of read()) result.observe(value, attributes);
    };
    gauge.addCallback(observe);
    this.#ends.push(() => gauge.removeCallback(observe));
  }

  /** Runs a function as a span, and measures its duration. */
  async span<T>(
    { name, attributes, histogram, outcomeOf, outcomeOfError }: Measured<T>,
    run: () => T | Promise<T>,
  ): Promise<T> {
    const { context, trace, SpanStatusCode } = this.api;
    const startedAtMs = this.now();
    const span = this.tracer.startSpan(name, { attributes });
    const end = (added: Attributes) => {
      span.setAttributes(added);
      span.end();
      histogram.record(this.secondsSince(startedAtMs), { ...attributes, ...added });
    };
    try {
      const result = await context.with(trace.setSpan(context.active(), span), run);
      end(outcomeOf(result));
      return result;
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      end(outcomeOfError(error));
      throw error;
    }
  }

  /** Makes a span of something that began at a time of the clock, and has ended. */
  endedSpan(name: string, { parent, attributes, startedAtMs }: EndedSpan): Span {
    const startTime = Date.now() - Math.max(0, this.now() - startedAtMs);
    const span = this.tracer.startSpan(name, { attributes, startTime }, parent);
    span.end();
    return span;
  }

  /** Stops reading gauges. */
  close(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}

export interface EndedSpan {
  readonly parent: Context;
  readonly attributes: Attributes;
  readonly startedAtMs: number;
}

function optionsOf(name: MetricName): { readonly unit: string; readonly description: string } {
  const { unit, description } = METRICS[name];
  return { unit, description };
}
