import { describe, expect, it } from 'vitest';
import { BoundedLabel } from './bounded-label.js';
import { ATTRIBUTE, CONVENTIONS_VERSION, DURATION_BOUNDARIES, OTHER, TOOL_ERROR } from './conventions.js';
import { METRICS } from './metric-list.js';

/** From docs/gen-ai/mcp.md of open-telemetry/semantic-conventions-genai, in the release that is named. */
const CONVENTIONS = {
  version: 'v0.1.0',
  attributes: [
    'error.type',
    'gen_ai.operation.name',
    'gen_ai.tool.name',
    'mcp.method.name',
    'mcp.protocol.version',
    'mcp.session.id',
  ],
  metrics: ['mcp.server.operation.duration', 'mcp.server.session.duration'],
  boundaries: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300],
};

describe('the names of spans and metrics', () => {
  it('are those of one release of the conventions, and others begin with mcp_sessions', () => {
    const others = (names: readonly string[]) => names.filter((name) => !name.startsWith('mcp_sessions.'));
    expect({
      version: CONVENTIONS_VERSION,
      attributes: others(Object.values(ATTRIBUTE)).sort(),
      metrics: others(Object.keys(METRICS)),
      boundaries: DURATION_BOUNDARIES,
    }).toEqual(CONVENTIONS);
    expect([OTHER, TOOL_ERROR]).toEqual(['_OTHER', 'tool_error']);
  });

  it('of metrics and their attributes contain no name of a session, user or address', () => {
    const attributes = Object.values(METRICS).flatMap((metric) => metric.attributes);
    expect(attributes).not.toContain(ATTRIBUTE.sessionId);
  });
});

describe('a label', () => {
  it('has at most 200 values, and `_OTHER` in place of the others', () => {
    const label = new BoundedLabel();
    const values = Array.from({ length: 300 }, (_, index) => label.valueOf(`tool-${index}`));
    expect(new Set(values).size).toBe(201);
    expect(values.at(-1)).toBe('_OTHER');
    expect(label.valueOf('tool-0')).toBe('tool-0');
  });
});
