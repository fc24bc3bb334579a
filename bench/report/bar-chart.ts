/** One bar: a median, its range, and a text behind it. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly text: string;
  readonly role: 'own' | 'peer' | 'reference';
}

interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

export interface BarChart {
  readonly title: string;
  readonly subtitle: string;
  readonly groups: readonly BarGroup[];
}

/** A phone shows it at two thirds of this. */
const WIDTH = 520;
const MARGIN = 24;
const BARS_WIDTH = 290;
const BAR_HEIGHT = 14;
const LABEL_HEIGHT = 20;
const ROW_HEIGHT = 44;
const HEAD_HEIGHT = 78;
const GROUP_HEAD_HEIGHT = 34;
const GROUP_GAP = 14;

/** It has its own background: a page shows an image in the colours of the system, which may not be those of the page. */
const STYLE = `
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
  .title { font-size: 17px; font-weight: 600; }
  .muted, .group { fill: #59636e; }
  .group { font-weight: 600; }
  .number { font-variant-numeric: tabular-nums; }
  .card { fill: #ffffff; stroke: #d1d9e0; }
  .own { fill: #0969da; }
  .peer { fill: #afb8c1; }
  .reference { fill: none; stroke: #818b98; stroke-dasharray: 4 3; }
  .label-own { font-weight: 600; }
  .range { stroke: #1f2328; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .muted, .group { fill: #9198a1; }
    .card { fill: #0d1117; stroke: #3d444d; }
    .own { fill: #4493f8; }
    .peer { fill: #565e68; }
    .reference { stroke: #9198a1; }
    .range { stroke: #f0f6fc; }
  }`;

/** Horizontal bars as an SVG that adapts to light and dark. */
export function barChart({ title, subtitle, groups }: BarChart): string {
  const most = Math.max(...groups.flatMap(({ bars }) => bars.map(({ max }) => max)));
  const scale = BARS_WIDTH / most;
  const parts: string[] = [];
  let y = HEAD_HEIGHT;
  for (const { title: name, bars } of groups) {
    parts.push(text(MARGIN, y + 14, name, 'group'));
    y += GROUP_HEAD_HEIGHT;
    for (const bar of bars) {
      parts.push(...rowOf(bar, y, scale));
      y += ROW_HEIGHT;
    }
    y += GROUP_GAP;
  }
  const height = y + MARGIN - GROUP_GAP;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}\n</style>`,
    `<rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>`,
    text(MARGIN, 34, title, 'title'),
    text(MARGIN, 56, subtitle, 'muted'),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** A label, and its bar below. */
function rowOf({ label, value, min, max, text: shown, role }: Bar, top: number, scale: number): string[] {
  const barTop = top + LABEL_HEIGHT;
  const middle = barTop + BAR_HEIGHT / 2;
  const at = (figure: number) => (MARGIN + figure * scale).toFixed(1);
  return [
    text(MARGIN, top + LABEL_HEIGHT - 6, label, role === 'own' ? 'label-own' : ''),
    `<rect class="${role}" x="${MARGIN}" y="${barTop}" width="${Math.max(value * scale, 1).toFixed(1)}" height="${BAR_HEIGHT}" rx="3"/>`,
    `<line class="range" x1="${at(min)}" x2="${at(max)}" y1="${middle}" y2="${middle}"/>`,
    text(Number(at(max)) + 10, barTop + BAR_HEIGHT - 2, shown, 'number'),
  ];
}

function text(x: number, y: number, content: string, className: string): string {
  return `<text class="${className}" x="${x}" y="${y}">${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
