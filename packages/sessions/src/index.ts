/**
 * Multi-user sessions for MCP servers: {@link createSessions} makes a server on which each client logs in as its own
 * user.
 *
 * @module mcp-sessions
 */
export type { AccessOptions, BearerAccessOptions, ClientRegistration } from './access/access-options.js';
export type { Account } from './account/accounts.js';
export type { SessionState, VersionedState } from './account/session-state.js';
export { SessionError, type SessionErrorCode, type SessionErrorOptions } from './errors.js';
export { nodeServerOptions } from './http/http-limits.js';
export type { Limits } from './limits/limits.js';
export type { Branding } from './login/pages/branding.js';
export type { ToolContext } from './mcp/request/context.js';
export type { LoginRequirement, RequestHandler } from './mcp/request/login-requirement.js';
export type { Session, SessionCallOptions, TokenRejection } from './mcp/request/session.js';
export { SESSION_META_KEY } from './mcp/request/session-argument.js';
export type { RegisterTools, ServerInfo } from './mcp/server/factory.js';
export { STATUS_URI } from './mcp/server/status-resource.js';
export type { Elicitation } from './mcp/tools/login/elicitation-policy.js';
export type { Logger } from './observe/logger.js';
export type { ClientAssertionKey } from './provider/client-assertion-key.js';
export type {
  ApiOriginField,
  ClientAssertionOptions,
  ClientAuthentication,
  DeviceFlow,
  IdentityFields,
  IdentitySource,
  ProviderEndpoints,
  RevocableTokens,
  RevocationRequest,
  RevocationScope,
  UserInfoRequest,
} from './provider/option-types.js';
export type { ProviderOptions } from './provider/provider-options.js';
export type { CheckName, ProviderCheck, ProviderReport } from './provider/provider-report.js';
export { createSessions } from './server/create-sessions.js';
export type {
  CloseOptions,
  Cluster,
  Dispatch,
  ListenOptions,
  NamedProviders,
  Runtime,
  ServeStdioOptions,
  SessionsOptions,
} from './server/options.js';
export type { NodeBindings, Sessions } from './server/sessions.js';
export type { Lifetimes } from './session/lifetimes.js';
export { PROVIDER_FAILURE_REASONS, type ProviderFailureReason } from './session/provider-failure-texts.js';
export type { ProviderFailure } from './session/provider-failures.js';
export type { ListedSession, SignOutFilter } from './session/session-administration.js';
export type {
  EventAccount,
  EventSession,
  LoginCheck,
  LoginFailure,
  LoginFlow,
  LogoutTokenFault,
  RefreshError,
  Revocation,
  SessionEvent,
  SessionListener,
  TokenFaultReason,
} from './session/session-events.js';
export type {
  AccountFailureReason,
  EndReason,
  GrantNonconformance,
  SessionKind,
  SignOutReason,
} from './session/session-record.js';
export type { Clock } from './time/clock.js';
export type { RandomSource } from './vault/random.js';
