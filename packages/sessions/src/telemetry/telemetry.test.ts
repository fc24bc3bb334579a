import * as api from '@opentelemetry/api';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { afterEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Telemetry } from './telemetry.js';
import { contextOf, currentTraceparent, traceContextIn } from './trace-context.js';

const { metrics, trace } = api;

afterEach(() => {
  for (const registry of [trace, metrics]) registry.disable();
});

describe('telemetry', () => {
  it('does not exist without an SDK, so that nothing is measured', () => {
    expect(Telemetry.registered(new VirtualClock())).toBeUndefined();
    expect(currentTraceparent()).toBeUndefined();
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect(traceContextIn(() => traceparent)).toBeUndefined();
    expect(trace.getSpanContext(contextOf(api, traceparent))).toBeUndefined();
  });

  it('exists if a provider of spans is registered, or one of meters', () => {
    trace.setGlobalTracerProvider(new BasicTracerProvider());
    expect(Telemetry.registered(new VirtualClock())).toBeInstanceOf(Telemetry);
    trace.disable();
    expect(Telemetry.registered(new VirtualClock())).toBeUndefined();
    metrics.setGlobalMeterProvider(new MeterProvider());
    expect(Telemetry.registered(new VirtualClock())).toBeInstanceOf(Telemetry);
  });
});
