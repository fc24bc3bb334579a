import { markdownTable } from '../report/markdown.js';
import { short, spreadOf, whole, withRange } from '../report/statistics.js';
import type { SessionCost } from './nodes.js';
import type { ClusterCase, ClusterRound } from './rounds.js';

type Figures = ReadonlyMap<ClusterCase, readonly ClusterRound[]>;

/** The part of a processor that a plan uses: p99 rises steeply near its limit. */
const PLANNED_PART = 0.5;
const MICROS = 1e6;
const GB = 1e9;
/** An engine warns of more memory than this part of `maxmemory`. */
const MEMORY_PART = 0.8;

export function callTable(figures: Figures): string {
  const header = [
    '',
    'requests/s',
    'p99 ms',
    'server CPU µs/request',
    'engine CPU µs/request',
    'engine commands/request',
  ];
  const rows = [...figures].map(([{ label, hasEngine }, rounds]) => {
    const of = (figure: keyof ClusterRound, show: (value: number) => string) =>
      withRange(spreadOf(rounds.map((round) => round[figure])), show);
    const engine = hasEngine ? [of('engineMicros', short), of('engineCommands', short)] : ['–', '–'];
    return [label, of('perSecond', whole), of('p99Ms', short), of('nodeMicros', short), ...engine];
  });
  return markdownTable([header, ...rows]);
}

export function sessionTable({ engineBytes, nodeBytes, engineMicros, nodeMicros }: SessionCost): string {
  return markdownTable([
    ['of one logged-in session', 'engine', 'server'],
    ['bytes', whole(engineBytes), whole(Math.max(nodeBytes, 0))],
    ['CPU µs to add it and commit its login', short(engineMicros), short(nodeMicros)],
  ]);
}

/** What a server and an engine carry. Calculated from the cost of a request, not measured. */
export function capacityTable(figures: Figures, session: SessionCost): string {
  const planned = (micros: number) => `${whole(round((PLANNED_PART * MICROS) / micros))} a second`;
  const rows = [...figures]
    // Servers that share a processor with others cost more: a plan is for one on its own.
    .filter(([{ hasEngine, servers }]) => hasEngine && servers.length === 1)
    .flatMap(([{ label }, rounds]) => {
      const medianOf = (figure: keyof ClusterRound) => spreadOf(rounds.map((each) => each[figure])).median;
      const calls = label.replace(/^.*, /, 'calls, ');
      return [[calls, planned(medianOf('nodeMicros')), planned(medianOf('engineMicros'))]];
    });
  return markdownTable([
    ['', 'for each processor of servers', 'for each engine'],
    ...rows,
    ['logins committed', planned(session.nodeMicros), planned(session.engineMicros)],
    ['sessions for each GB of `maxmemory`', '–', whole(round((MEMORY_PART * GB) / session.engineBytes))],
  ]);
}

/** Two significant digits: more would say more than a calculation knows. */
function round(value: number): number {
  return Number(value.toPrecision(2));
}
