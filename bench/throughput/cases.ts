import { type BenchOptions, isSelected } from '../options.js';
import {
  FASTMCP,
  FLOORS,
  PRODUCTS,
  SDK_V1,
  SDK_V2,
  SDK_V2_HANDLER,
  SDK_V2_JSON,
  type ServerKind,
} from '../servers/kinds.js';

/** One row: calls of a tool at a server with a number of sessions. */
export interface Case {
  readonly name: string;
  readonly label: string;
  readonly kind: ServerKind;
  /** 0: the server has no sessions. */
  readonly sessions: number;
  readonly tool: string;
}

/** More connections take too long to open one by one. */
const MAX_CONNECTIONS = 100_000;

const OWN_TOOLS = [
  { tool: 'echo_logged_in', label: 'mcp-sessions, logged in', suffix: '' },
  { tool: 'echo_with_token', label: 'mcp-sessions, token opened', suffix: '-token' },
] as const;
export const OWN_TOOL_NAMES: readonly string[] = OWN_TOOLS.map(({ tool }) => tool);

/** All cases that are selected, and the floors, which all others are compared with. */
export function casesOf(options: BenchOptions): Case[] {
  const counts = [...options.sessions].sort((a, b) => a - b);
  const withSessions = counts.filter((count) => count <= MAX_CONNECTIONS);
  const many = withSessions.filter((count) => count > 1);
  const cases: Case[] = [
    peerCase(FLOORS['2026'], 0),
    peerCase(SDK_V2_HANDLER, 0),
    ...counts.flatMap((count) => ownCases(PRODUCTS['2026'], count)),
    peerCase(FLOORS['2025'], 0),
    ...withSessions.map((count) => peerCase(SDK_V2, count)),
    ...many.map((count) => peerCase(SDK_V2_JSON, count)),
    ...withSessions.map((count) => peerCase(SDK_V1, count)),
    ...withSessions.map((count) => peerCase(FASTMCP, count)),
    ...withSessions.flatMap((count) => ownCases(PRODUCTS['2025'], count)),
  ];
  const selected = cases.filter(({ name }) => isSelected(options, `calls-${name}`));
  const eras = new Set(selected.map(({ kind }) => kind.era));
  return cases.filter((each) => selected.includes(each) || (isFloor(each) && eras.has(each.kind.era)));
}

export function isFloor({ kind }: Pick<Case, 'kind'>): boolean {
  return kind === FLOORS[kind.era];
}

/** The server that a case calls: cases with the same key share it. */
export function serverKeyOf({ kind, sessions }: Case): string {
  return `${kind.name}@${sessions}`;
}

function peerCase(kind: ServerKind, sessions: number): Case {
  const name = sessions === 0 ? kind.name : `${kind.name}@${sessions}`;
  return { name, label: kind.label, kind, sessions, tool: 'echo' };
}

function ownCases(kind: ServerKind, sessions: number): Case[] {
  return OWN_TOOLS.map(({ tool, label, suffix }) => ({
    name: `${kind.name}@${sessions}${suffix}`,
    label,
    kind,
    sessions,
    tool,
  }));
}
