import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { ConfigurationError } from '../configuration-error.js';
import { measureRuntime } from './runtime-metrics.js';

/** Where `/metrics` is served. */
export interface MetricsAddress {
  readonly host: string;
  /** `0`: any free port. */
  readonly port: number;
}

export interface MetricsServer {
  readonly url: string;
  close(): Promise<void>;
}

const PATH = '/metrics';
/** Prometheus servers keep a connection each. */
const MAX_CONNECTIONS = 16;
const REQUEST_TIMEOUT_MS = 10_000;

const IS_REGISTERED =
  'Another SDK of OpenTelemetry is registered in this process, and exports the metrics. Remove the setting of the port of `/metrics`, or the SDK.';

/**
 * Serves the metrics of this process to Prometheus, on a port of its own. Call it before `createSessions`, which measures
 * only if there is something to measure for.
 * @throws ConfigurationError if another SDK is registered; Node's error if the port is in use (`EADDRINUSE`) or not allowed
 * (`EACCES`)
 */
export async function serveMetrics({ host, port }: MetricsAddress): Promise<MetricsServer> {
  const exporter = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    withoutTargetInfo: true,
  });
  const provider = new MeterProvider({ readers: [exporter] });
  if (!metrics.setGlobalMeterProvider(provider)) throw new ConfigurationError(IS_REGISTERED);
  const stop = measureRuntime(provider.getMeter('mcp-sessions-server'));
  const close = async () => {
    stop();
    metrics.disable();
    await provider.shutdown();
  };
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (request.url?.split('?')[0] === PATH && isRead) exporter.getMetricsRequestHandler(request, response);
    else response.writeHead(404).end(`The metrics are at ${PATH}.\n`);
  });
  server.maxConnections = MAX_CONNECTIONS;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    await close();
    throw error;
  }
  // A TCP server that listens has an AddressInfo (Node: server.address()).
  const address = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}${PATH}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await close();
    },
  };
}
