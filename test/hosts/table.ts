import { type Report, STEPS, type Step } from './report.js';

/** The reports as a Markdown table, with a footnote for each remark. */
export function markdown(reports: readonly Report[]): string {
  const notes: string[] = [];
  const columns = STEPS.filter((step) => reports.some(({ outcomes }) => outcomes.has(step)));
  const rows = reports.map((report) => [
    report.title,
    report.version,
    report.era,
    ...columns.map((step) => cell(report, step, notes)),
  ]);
  const head = ['host', 'version', 'revision', ...columns];
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return [...lines, '', ...notes.map((note, index) => `${index + 1}. ${note}`)].join('\n');
}

function cell({ outcomes }: Report, step: Step, notes: string[]): string {
  const outcome = outcomes.get(step);
  if (!outcome) return '–';
  const mark = outcome.isOk ? '✓' : '✗';
  if (outcome.note === undefined) return mark;
  const note = outcome.note.replace(/\s+/g, ' ');
  const known = notes.indexOf(note);
  const number = known >= 0 ? known + 1 : notes.push(note);
  return `${mark} ${number}`;
}
