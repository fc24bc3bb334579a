import { createRequire } from 'node:module';

/** The API of OpenTelemetry. */
export type Api = typeof import('@opentelemetry/api');

/** Where version 1 of the API keeps what an application registers. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

let loaded: Api | undefined;

/**
 * The API, if an SDK is registered. Otherwise it is not loaded: that takes 25 ms of CPU at a start. It is loaded in one
 * tick, because servers are made in one.
 */
export function registeredApi(): Api | undefined {
  if (!(REGISTERED in globalThis)) return undefined;
  loaded ??= createRequire(import.meta.url)('@opentelemetry/api') as Api;
  return loaded;
}
