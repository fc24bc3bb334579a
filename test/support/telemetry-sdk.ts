import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { type DataPoint, type Histogram, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';

class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {
    // Nothing is kept.
  }

  protected override async onShutdown(): Promise<void> {
    // Nothing is kept.
  }
}

/** A data point of a metric. */
interface Point {
  readonly metric: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Of a histogram, the number of measurements. */
  readonly value: number;
}

/** The SDK of OpenTelemetry in the process of a test, with what it got. Register it before a server is created. */
export interface TelemetrySdk {
  readonly spans: () => readonly ReadableSpan[];
  readonly points: () => Promise<readonly Point[]>;
  readonly unregister: () => void;
}

export function registerTelemetrySdk(): TelemetrySdk {
  const exporter = new InMemorySpanExporter();
  const reader = new Reader();
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(
    new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
  );
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  );
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  return {
    spans: () => exporter.getFinishedSpans(),
    async points() {
      const { resourceMetrics } = await reader.collect();
      return resourceMetrics.scopeMetrics.flatMap((scope) =>
        scope.metrics.flatMap(({ descriptor, dataPoints }) =>
          (dataPoints as DataPoint<number | Histogram>[]).map(({ attributes, value }) => ({
            metric: descriptor.name,
            attributes,
            value: typeof value === 'number' ? value : value.count,
          })),
        ),
      );
    },
    unregister() {
      for (const api of [context, propagation, trace, metrics]) api.disable();
    },
  };
}
