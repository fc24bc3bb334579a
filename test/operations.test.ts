import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { RUNTIME_METRICS } from '../packages/server/src/metrics/runtime-metrics.js';
import { METRICS } from '../packages/sessions/src/telemetry/metric-list.js';

const text = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');

/** The names in code of a cell. */
const codesIn = (cell: string | undefined) =>
  [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, code]) => code);

/** The lines of the table of metrics. */
const lines = text
  .slice(0, text.indexOf('## Traces'))
  .split('\n')
  .filter((line) => /^\| `[a-z0-9_]+` \|/.test(line));
/** `[name, kind, labels]`. */
const rows = lines
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, name, kind, labels]) => [codesIn(name)[0], kind, codesIn(labels)]);

/** As the exporter for Prometheus writes them. */
const written = (name: string) => name.replaceAll('.', '_');
/** Prometheus has no up-down counters. */
const KINDS = {
  histogram: 'histogram',
  counter: 'counter',
  'up-down counter': 'gauge',
  gauge: 'gauge',
} as const;

describe('docs/operations.md', () => {
  it('lists every metric with its kind and its labels, and no other', () => {
    const library = Object.entries(METRICS).map(([name, { kind, attributes }]) => [
      written(name) + (kind === 'counter' ? '_total' : ''),
      KINDS[kind],
      attributes.map(written),
    ]);
    const runtime = Object.keys(RUNTIME_METRICS).map((name) => [written(name), 'gauge', []]);
    expect(rows).toEqual([...library, ...runtime]);
  });

  it('says of every metric when to alert and what to do', () => {
    expect(lines.length).toBeGreaterThan(20);
    for (const line of lines) {
      const [, , , , meaning, alert] = line.split('|').map((cell) => cell.trim());
      expect(meaning).toMatch(/\.$/);
      expect(alert).not.toBe('');
    }
  });
});
