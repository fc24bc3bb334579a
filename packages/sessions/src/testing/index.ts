export { type ConnectClientOptions, connectClient, type HttpTransportClass } from './connect-client.js';
export { FaultingProvider, type FaultingProviderOptions } from './faulting-provider.js';
export { type BrowserLogin, type LogInOptions, logIn } from './log-in.js';
export type { ProviderEndpoint, ProviderFault } from './provider-faults.js';
export { VirtualClock } from './virtual-clock.js';
