/**
 * The release of `open-telemetry/semantic-conventions-genai` that the names below are from. Its conventions for MCP are
 * in development: a name may change with a release, and a change of a name here is a breaking change for dashboards.
 */
export const CONVENTIONS_VERSION = 'v0.1.0';

/** The attributes of the conventions, and those of this library below `mcp_sessions`. */
export const ATTRIBUTE = {
  errorType: 'error.type',
  method: 'mcp.method.name',
  protocolVersion: 'mcp.protocol.version',
  sessionId: 'mcp.session.id',
  toolName: 'gen_ai.tool.name',
  operationName: 'gen_ai.operation.name',
  era: 'mcp_sessions.era',
  kind: 'mcp_sessions.session.kind',
  state: 'mcp_sessions.session.state',
  provider: 'mcp_sessions.provider',
  outcome: 'mcp_sessions.outcome',
  reason: 'mcp_sessions.reason',
  limit: 'mcp_sessions.limit',
  flow: 'mcp_sessions.login.flow',
  engineOperation: 'mcp_sessions.engine.operation',
} as const;

/** The value of an attribute in place of one that is not known, or that would be one too many. */
export const OTHER = '_OTHER';

/** The value of `error.type` for a result with `isError`. */
export const TOOL_ERROR = 'tool_error';

/** The boundaries that the conventions give for durations, in seconds. */
export const DURATION_BOUNDARIES: readonly number[] = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300,
];
