export {
  FaultingProvider,
  type ProviderEndpoint,
  type ProviderFault,
} from './faulting-provider.js';
export { type BrowserLogin, logIn } from './log-in.js';
export { VirtualClock } from './virtual-clock.js';
