/** Markdown tables, and documents with tables and figures that are generated. */

/** The lines between these two comments of a document are generated. */
const BLOCK = /(<!-- table: ([a-z-]+), by npm run tables -->\n)[^]*?(\n<!-- end of table -->)/g;

/** The text between these two comments is a generated figure. */
const FIGURE = /(<!-- figure: ([a-z-]+), by npm run tables -->)[^<]*(<!-- end of figure -->)/g;

/** Formats rows as a table. The first row is the head. */
export function markdownTable([head = [], ...rows]: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Returns the document with its tables replaced by these. @throws Error when it has a table of another name */
export function withTables(document: string, tables: Record<string, () => string>): string {
  return document.replaceAll(BLOCK, (_, start: string, name: string, end: string) => {
    const make = tables[name];
    if (!make) throw new Error(`There is no table "${name}".`);
    return `${start}${make()}${end}`;
  });
}

/** Returns the document with its figures replaced by these. @throws Error when it has a figure of another name */
export function withFigures(document: string, figures: Record<string, string>): string {
  return document.replaceAll(FIGURE, (_, start: string, name: string, end: string) => {
    const figure = figures[name];
    if (figure === undefined) throw new Error(`There is no figure "${name}".`);
    return `${start}${figure}${end}`;
  });
}

/** Dollars and cents. */
export const dollars = (amount: number): string =>
  amount.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** A price, with two or more decimals. */
export const price = (amount: number | null): string =>
  amount === null ? '-' : amount.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 6 });

/** A whole number. */
export const count = (amount: number): string => Math.round(amount).toLocaleString('en');
