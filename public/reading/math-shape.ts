/** What browsers do not read from MathML: letters of a variant become characters, columns get classes (answer.css). */

/** Code points of A, a and 0 (0: there are none), and of Alpha and alpha. */
const VARIANTS: Record<string, readonly [upper: number, lower: number, digit: number, greek?: number]> = {
  bold: [0x1d400, 0x1d41a, 0x1d7ce, 0x1d6a8],
  italic: [0x1d434, 0x1d44e, 0, 0x1d6e2],
  'bold-italic': [0x1d468, 0x1d482, 0, 0x1d71c],
  script: [0x1d49c, 0x1d4b6, 0],
  fraktur: [0x1d504, 0x1d51e, 0],
  'double-struck': [0x1d538, 0x1d552, 0x1d7d8],
  'bold-fraktur': [0x1d56c, 0x1d586, 0],
  'sans-serif': [0x1d5a0, 0x1d5ba, 0x1d7e2],
  'bold-sans-serif': [0x1d5d4, 0x1d5ee, 0x1d7ec],
  'sans-serif-italic': [0x1d608, 0x1d622, 0],
  monospace: [0x1d670, 0x1d68a, 0x1d7f6],
};
/** Those that Unicode had before the others: their places in the ranges above are empty. */
const EARLIER: Record<string, readonly [letters: string, characters: string]> = {
  italic: ['h', 'ℎ'],
  script: ['BEFHILMRego', 'ℬℰℱℋℐℒℳℛℯℊℴ'],
  fraktur: ['CHIRZ', 'ℭℌℑℜℨ'],
  'double-struck': ['CHNPQRZ', 'ℂℍℕℙℚℝℤ'],
};

/** The characters of a text in a variant. */
export function inVariant(text: string, variant: string): string {
  const starts = VARIANTS[variant];
  if (!starts) return text;
  const [letters, characters] = EARLIER[variant] ?? ['', ''];
  return Array.from(text, (letter) => characters[letters.indexOf(letter)] ?? moved(letter, starts)).join('');
}

function moved(letter: string, [upper, lower, digit, greek]: (typeof VARIANTS)[string]): string {
  const from = (first: string, start: number | undefined) =>
    start ? String.fromCodePoint(start + (letter.codePointAt(0) ?? 0) - (first.codePointAt(0) ?? 0)) : letter;
  if (/[A-Z]/.test(letter)) return from('A', upper);
  if (/[a-z]/.test(letter)) return from('a', lower);
  if (/[0-9]/.test(letter)) return from('0', digit);
  if (/[Α-Ω]/.test(letter)) return from('Α', greek);
  return /[α-ω]/.test(letter) ? from('α', greek && greek + 26) : letter;
}

/** Gives the cells of a table the classes of their columns: alignment, distance and lines between them. */
export function shapeColumns(table: Element): void {
  const listOf = (name: string) => table.getAttribute(name)?.split(' ') ?? [];
  const [align, gaps, lines] = ['columnalign', 'columnspacing', 'columnlines'].map(listOf);
  for (const row of table.children)
    for (const [column, cell] of Array.from(row.children).entries()) {
      cell.classList.add(`math-${at(align, column) ?? 'center'}`);
      const isLast = column === row.children.length - 1;
      if (!isLast && at(gaps, column) === '0em') cell.classList.add('math-before');
      if (column === 0) continue;
      if (at(gaps, column - 1) === '0em') cell.classList.add('math-after');
      if (at(lines, column - 1) === 'solid') cell.classList.add('math-line');
    }
}

/** The last value of a list holds for the columns after it too. */
const at = (list: string[] | undefined, index: number): string | undefined => list?.[index] ?? list?.at(-1);
