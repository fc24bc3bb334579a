/** A table whose first column is text and whose others are numbers. */
export function markdownTable([header, ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = (header ?? []).map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(header ?? []), line(rule), ...rows.map(line)].join('\n');
}
