import { ATTRIBUTE } from './conventions.js';

/** What is known of a metric. */
export interface MetricInfo {
  readonly kind: 'histogram' | 'counter' | 'up-down counter' | 'gauge';
  /** UCUM. */
  readonly unit: string;
  readonly description: string;
  /** The names of its attributes. Each has a bounded number of values. */
  readonly attributes: readonly string[];
}

const { errorType, method, protocolVersion, toolName, operationName } = ATTRIBUTE;
const { kind, provider, outcome, reason, limit, flow, era, state, engineOperation } = ATTRIBUTE;

export type HistogramName =
  | 'mcp.server.operation.duration'
  | 'mcp.server.session.duration'
  | 'mcp_sessions.login.duration'
  | 'mcp_sessions.refresh.duration'
  | 'mcp_sessions.revocation.duration'
  | 'mcp_sessions.engine.operation.duration';
export type CounterName =
  | 'mcp_sessions.sign_outs'
  | 'mcp_sessions.logins'
  | 'mcp_sessions.accounts.lost'
  | 'mcp_sessions.provider.failures'
  | 'mcp_sessions.tokens.refused'
  | 'mcp_sessions.limits.reached';
export type UpDownCounterName = 'mcp_sessions.sessions';
export type GaugeName =
  | 'mcp_sessions.sessions.stored'
  | 'mcp_sessions.requests.in_flight'
  | 'mcp_sessions.requests.waiting'
  | 'mcp_sessions.revocations.pending'
  | 'mcp_sessions.engine.ready';
export type MetricName = HistogramName | CounterName | UpDownCounterName | GaugeName;

/** The metrics of the library. `docs/operations.md` says what each means. */
export const METRICS: Readonly<Record<MetricName, MetricInfo>> = {
  'mcp.server.operation.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'The time from the arrival of an MCP request or notification until its answer.',
    attributes: [method, toolName, operationName, protocolVersion, errorType],
  },
  'mcp.server.session.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'The time from the start of a session until its end.',
    attributes: [era, kind, reason],
  },
  'mcp_sessions.sessions': {
    kind: 'up-down counter',
    unit: '{session}',
    description: 'The sessions that this process has started, without those that it has ended.',
    attributes: [era, kind],
  },
  'mcp_sessions.sessions.stored': {
    kind: 'gauge',
    unit: '{session}',
    description: 'The sessions in the memory of this process. Not measured with an engine.',
    attributes: [state],
  },
  'mcp_sessions.sign_outs': {
    kind: 'counter',
    unit: '{sign_out}',
    description: 'The logins of sessions that have ended while the session goes on.',
    attributes: [reason],
  },
  'mcp_sessions.logins': {
    kind: 'counter',
    unit: '{login}',
    description: 'The logins that have ended, and how.',
    attributes: [provider, flow, outcome],
  },
  'mcp_sessions.login.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'The time from the start of a login until its end, in which the user signs in.',
    attributes: [provider, flow, outcome],
  },
  'mcp_sessions.refresh.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'The time of a refresh request to a provider.',
    attributes: [provider, outcome],
  },
  'mcp_sessions.accounts.lost': {
    kind: 'counter',
    unit: '{account}',
    description: 'The accounts that need a new login.',
    attributes: [provider, reason],
  },
  'mcp_sessions.revocation.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'The time of the revocation of a login at its provider.',
    attributes: [provider, outcome],
  },
  'mcp_sessions.provider.failures': {
    kind: 'counter',
    unit: '{failure}',
    description: 'The requests to a provider that have failed.',
    attributes: [provider, reason],
  },
  'mcp_sessions.tokens.refused': {
    kind: 'counter',
    unit: '{token}',
    description: 'The access tokens of clients that were refused.',
    attributes: [reason],
  },
  'mcp_sessions.limits.reached': {
    kind: 'counter',
    unit: '{refusal}',
    description: 'The sessions, logins and requests that were refused because a limit was reached.',
    attributes: [limit],
  },
  'mcp_sessions.requests.in_flight': {
    kind: 'gauge',
    unit: '{request}',
    description: 'The requests that are being served.',
    attributes: [],
  },
  'mcp_sessions.requests.waiting': {
    kind: 'gauge',
    unit: '{request}',
    description: 'The requests that wait for their turn.',
    attributes: [],
  },
  'mcp_sessions.revocations.pending': {
    kind: 'gauge',
    unit: '{revocation}',
    description: 'The revocations that wait, or whose answer is awaited.',
    attributes: [],
  },
  'mcp_sessions.engine.ready': {
    kind: 'gauge',
    unit: '1',
    description: '1 while the engine is used, 0 while it is not. Absent without an engine.',
    attributes: [],
  },
  'mcp_sessions.engine.operation.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'The time of a call of the engine.',
    attributes: [engineOperation, errorType],
  },
};
