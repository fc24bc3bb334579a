/**
 * For tests of a server without a network: a clock, an identity provider, a browser and a client that a test controls.
 *
 * @module mcp-sessions/testing
 */
export { type ConnectClientOptions, connectClient, type HttpTransportClass } from './connect-client.js';
export { FaultingProvider, type FaultingProviderOptions } from './faulting-provider.js';
export { type BrowserLogin, type LogInOptions, logIn } from './log-in.js';
export type { ProviderEndpoint, ProviderFault } from './provider-faults.js';
export { VirtualClock } from './virtual-clock.js';
