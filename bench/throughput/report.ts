import type { Era } from '../load/echo-requests.js';
import { markdownTable } from '../report/markdown.js';
import { short, spreadOf, whole, withRange } from '../report/statistics.js';
import type { CallRound, CallRounds } from './calls.js';
import { type Case, isFloor } from './cases.js';
import type { CreationRounds } from './creations.js';
import type { StartRounds } from './starts.js';

/** The requests per second of a case in parts of those of the floor, in each round. */
export function ratiosToFloor(rounds: CallRounds, measured: Case): number[] {
  const floor = [...rounds].find(([each]) => isFloor(each) && each.kind.era === measured.kind.era)?.[1] ?? [];
  return (rounds.get(measured) ?? []).map(
    ({ perSecond }, round) => perSecond / (floor[round]?.perSecond ?? Number.NaN),
  );
}

/** The table of one era. */
export function callTable(rounds: CallRounds, era: Era): string {
  const header = ['', 'sessions', 'requests/s', 'of the floor', 'CPU µs/request', 'p50 ms', 'p99 ms'];
  const figureOf = (of: readonly CallRound[], figure: (round: CallRound) => number) =>
    spreadOf(of.map(figure));
  const rows = [...rounds]
    .filter(([{ kind }]) => kind.era === era)
    .map(([measured, figures]) => [
      measured.label,
      measured.sessions === 0 ? 'none' : whole(measured.sessions),
      withRange(
        figureOf(figures, ({ perSecond }) => perSecond),
        whole,
      ),
      short(spreadOf(ratiosToFloor(rounds, measured)).median),
      withRange(
        figureOf(figures, ({ serverMicros }) => serverMicros),
        short,
      ),
      short(figureOf(figures, ({ p50Ms }) => p50Ms).median),
      withRange(
        figureOf(figures, ({ p99Ms }) => p99Ms),
        short,
      ),
    ]);
  return `${markdownTable([header, ...rows])}\n\n${clientSentence(rounds, era)}`;
}

/** Says what the clients take, which must be less than what the fastest server takes. */
function clientSentence(rounds: CallRounds, era: Era): string {
  const floor = [...rounds].find(([each]) => isFloor(each) && each.kind.era === era)?.[1] ?? [];
  const micros = floor.map(({ clientMicros, requests }) => clientMicros / requests);
  return `The clients of the floor take ${withRange(spreadOf(micros), short)} µs of CPU for each request, on their own processor.`;
}

export function creationTable(rounds: CreationRounds): string {
  const rows = [...rounds].map(([{ label }, figures]) => [
    label,
    withRange(spreadOf(figures.map(({ perSecond }) => perSecond)), whole),
    withRange(spreadOf(figures.map(({ serverMicros }) => serverMicros)), short),
  ]);
  return markdownTable([['', 'sessions/s', 'CPU µs/session'], ...rows]);
}

export function startTable(rounds: StartRounds): string {
  const rows = [...rounds].map(([{ label }, figures]) => [
    label,
    withRange(spreadOf(figures.map(({ tookMs }) => tookMs)), whole),
    withRange(spreadOf(figures.map(({ cpuMs }) => cpuMs)), whole),
  ]);
  return markdownTable([['', 'ms to listening', 'CPU ms'], ...rows]);
}

export function loginSentence(rounds: readonly number[]): string {
  return `A new connection and its login take ${withRange(spreadOf(rounds), short)} ms of the server's CPU.`;
}
