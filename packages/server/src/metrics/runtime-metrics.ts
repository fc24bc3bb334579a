import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Meter } from '@opentelemetry/api';

/** A gauge of this process. The names are those of the semantic conventions for Node.js, V8 and processes. */
interface RuntimeMetric {
  readonly unit: string;
  readonly description: string;
}

type RuntimeMetricName =
  | 'nodejs.eventloop.delay.p50'
  | 'nodejs.eventloop.delay.p99'
  | 'nodejs.eventloop.delay.max'
  | 'nodejs.eventloop.utilization'
  | 'process.memory.usage'
  | 'v8js.memory.heap.used'
  | 'process.uptime';

/** The metrics of this process. `docs/operations.md` says what each means. */
export const RUNTIME_METRICS: Readonly<Record<RuntimeMetricName, RuntimeMetric>> = {
  'nodejs.eventloop.delay.p50': {
    unit: 's',
    description: 'The median delay of the event loop since the metrics were read last.',
  },
  'nodejs.eventloop.delay.p99': {
    unit: 's',
    description: 'The 99th percentile of the delay of the event loop since the metrics were read last.',
  },
  'nodejs.eventloop.delay.max': {
    unit: 's',
    description: 'The longest delay of the event loop since the metrics were read last.',
  },
  'nodejs.eventloop.utilization': {
    unit: '1',
    description: 'The part of the time in which the event loop was busy since the metrics were read last.',
  },
  'process.memory.usage': { unit: 'By', description: 'The memory of the process (resident set size).' },
  'v8js.memory.heap.used': { unit: 'By', description: 'The memory of JavaScript objects.' },
  'process.uptime': { unit: 's', description: 'The time since the start of the process.' },
};

/** Node measures with a timer of this interval. */
const RESOLUTION_MS = 10;

/** The delay in seconds. Node counts the interval of its timer, in nanoseconds. */
function delayOf(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS) / 1000;
}

/** Measures this process. @returns a function that stops it */
export function measureRuntime(meter: Meter): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let utilization = performance.eventLoopUtilization();
  const names = Object.keys(RUNTIME_METRICS) as RuntimeMetricName[];
  const gauges = names.map(
    (name) => [name, meter.createObservableGauge(name, RUNTIME_METRICS[name])] as const,
  );
  const read = (): Record<RuntimeMetricName, number> => {
    const { rss, heapUsed } = process.memoryUsage();
    const now = performance.eventLoopUtilization();
    const since = performance.eventLoopUtilization(now, utilization);
    utilization = now;
    const delays = {
      'nodejs.eventloop.delay.p50': delayOf(delay.percentile(50)),
      'nodejs.eventloop.delay.p99': delayOf(delay.percentile(99)),
      'nodejs.eventloop.delay.max': delayOf(delay.max),
    };
    delay.reset();
    return {
      ...delays,
      'nodejs.eventloop.utilization': since.utilization,
      'process.memory.usage': rss,
      'v8js.memory.heap.used': heapUsed,
      'process.uptime': process.uptime(),
    };
  };
  meter.addBatchObservableCallback(
    (result) => {
      const values = read();
      for (const [name, gauge] of gauges) result.observe(gauge, values[name]);
    },
    gauges.map(([, gauge]) => gauge),
  );
  return () => delay.disable();
}
