import type { Era } from '../load/echo-requests.js';
import { type Bar, barChart } from '../report/bar-chart.js';
import { short, spreadOf, whole } from '../report/statistics.js';
import type { CallRound, CallRounds } from './calls.js';
import { type Case, isFloor } from './cases.js';
import { ratiosToFloor } from './report.js';

const REVISIONS: Readonly<Record<Era, string>> = {
  '2026': 'Revision 2026-07-28',
  '2025': 'Revision 2025-11-25',
};

/** The requests per second with one number of sessions, and of servers without sessions. */
export function callChart(rounds: CallRounds, sessions: number): string {
  const cases = [...rounds].filter(([each]) => each.sessions === 0 || each.sessions === sessions);
  const groups = (['2026', '2025'] as const).map((era) => ({
    title: REVISIONS[era],
    bars: cases
      .filter(([{ kind }]) => kind.era === era)
      .map(([measured, figures]) => barOf(rounds, measured, figures)),
  }));
  return barChart({
    title: 'tools/call requests per second on one core',
    subtitle: `${whole(sessions)} sessions, 64 connections. More is better. Lines: the range.`,
    groups: groups.filter(({ bars }) => bars.length > 0),
  });
}

function barOf(rounds: CallRounds, measured: Case, figures: readonly CallRound[]): Bar {
  const { median, min, max } = spreadOf(figures.map(({ perSecond }) => perSecond));
  const ratio = short(spreadOf(ratiosToFloor(rounds, measured)).median);
  return {
    label: measured.label,
    value: median,
    min,
    max,
    text: isFloor(measured) ? whole(median) : `${whole(median)} · ${ratio} of the floor`,
    role: roleOf(measured),
  };
}

function roleOf(measured: Case): Bar['role'] {
  if (isFloor(measured)) return 'reference';
  return measured.kind.isOwn ? 'own' : 'peer';
}
