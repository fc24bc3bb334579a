/**
 * For tests of a server without a network: a clock, an identity provider, a browser and a client that a test controls.
 *
 * @module mcp-sessions/testing
 */
export { type ConnectClientOptions, connectClient, type HttpTransportClass } from './connect-client.js';
export { FaultingProvider, type FaultingProviderOptions } from './faulting-provider.js';
export { type BrowserLogin, type LogInOptions, logIn } from './log-in.js';
export type { ProviderEndpoint, ProviderFault } from './provider-faults.js';
export type {
  ProviderBehaviour,
  Quirk,
  QuirkAuthorization,
  QuirkFacts,
  QuirkGrant,
  QuirkHooks,
  QuirkIssue,
  QuirkRequest,
  QuirkRevocation,
  TokenRequestKind,
} from './quirk-hooks.js';
export type { AnswerQuirk } from './quirks/answer-quirks.js';
export type { ClientQuirk } from './quirks/client-quirks.js';
export type { GrantQuirk } from './quirks/grant-quirks.js';
export type { IdTokenQuirk } from './quirks/id-token-quirks.js';
export type { LoginQuirk } from './quirks/login-quirks.js';
export type { RefreshQuirk } from './quirks/refresh-quirks.js';
export { QUIRKS, type QuirkName } from './quirks.js';
export { VirtualClock } from './virtual-clock.js';
