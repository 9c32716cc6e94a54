/** One line of a result: what was compared, the ratio, and the two figures behind it. */
export const ratioLine = (name: string, ours: number, theirs: number, unit: string): string =>
  `${name.padEnd(44)} ${(ours / theirs).toFixed(2).padStart(7)}   ${ours.toFixed(2)} to ${theirs.toFixed(2)} ${unit}\n`;

/** A Markdown table whose columns line up: the first to the left, the others to the right. */
export const markdownTable = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(3, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths
      .map((width, column) => {
        const text = cells[column] ?? '';
        return column === 0 ? text.padEnd(width) : text.padStart(width);
      })
      .join(' | ')} |\n`;
  const [head = [], ...body] = rows;
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [head, rule, ...body].map(line).join('');
};

/** Words on how it goes, beside the results. */
export const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};
