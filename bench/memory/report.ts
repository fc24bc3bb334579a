import { type Bar, barChart } from '../report/bar-chart.js';
import { markdownTable } from '../report/markdown.js';
import { short } from '../report/statistics.js';
import type { Footprint } from '../servers/serve.js';
import type { MemoryRow } from './per-session.js';

const KB = 1000;

export function memoryTable(rows: readonly MemoryRow[]): string {
  const header = ['kB of one session', 'RSS', 'heap', 'RSS with stream', 'heap with stream'];
  const kb = (footprint: Footprint | undefined) =>
    footprint ? [short(footprint.rss / KB), short(footprint.heap / KB)] : ['–', '–'];
  return markdownTable([
    header,
    ...rows.map(({ measured, idle, withStream }) => [measured.label, ...kb(idle), ...kb(withStream)]),
  ]);
}

/** The resident memory of one session, without and with a stream. */
export function memoryChart(rows: readonly MemoryRow[]): string {
  const barsOf = (of: (row: MemoryRow) => Footprint | undefined): Bar[] =>
    rows.flatMap((row) => {
      const rss = of(row)?.rss;
      if (rss === undefined) return [];
      const { kind, label } = row.measured;
      const role = kind.isOwn ? 'own' : row.idle ? 'peer' : 'reference';
      return [{ label, value: rss, min: rss, max: rss, text: `${short(rss / KB)} kB`, role }];
    });
  return barChart({
    title: 'Resident memory of one session',
    subtitle: 'Idle, after a full collection. Less is better.',
    groups: [
      { title: 'Without a stream', bars: barsOf(({ idle }) => idle) },
      { title: 'With an open event stream', bars: barsOf(({ withStream }) => withStream) },
    ],
  });
}
