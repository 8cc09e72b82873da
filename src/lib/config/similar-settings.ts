/** Finds settings whose names are almost ours: what is mistyped would otherwise be left unread without a word. */

/** Names that begin so are ours, if only their parts were right. */
const OWN_PREFIX = /^(AZURE_OPENAI|ANSWER_CACHE|SESSIONS|HISTORY|MODEL)_/;
/** Typing errors in a name; fewer in a short one, of which another could be close by chance. */
const MAX_EDITS = 2;
const SHORT_NAME = 10;

/** Gives a sentence for each of `names` that is none of `known` but looks like one of them. */
export function warnOfSimilarNames(names: readonly string[], known: ReadonlySet<string>): string[] {
  return names
    .filter((name) => !known.has(name))
    .flatMap((name) => {
      const meant = findMeant(name.toUpperCase(), known);
      return meant === undefined ? [] : `${name} is not a setting of this app: did you mean ${meant}?`;
    });
}

function findMeant(name: string, known: ReadonlySet<string>): string | undefined {
  const closest = [...known]
    .map((candidate) => ({ candidate, edits: countEdits(name, candidate.toUpperCase()) }))
    .filter(
      ({ candidate, edits }) =>
        edits <= (candidate.length < SHORT_NAME ? 1 : MAX_EDITS) || isPartOf(name, candidate),
    )
    .toSorted((a, b) => a.edits - b.edits);
  return closest[0]?.candidate;
}

/** Some words of an own name are left out: AZURE_OPENAI_KEY. */
function isPartOf(name: string, candidate: string): boolean {
  const prefix = OWN_PREFIX.exec(name)?.[0];
  const words = new Set(candidate.split('_'));
  return (
    prefix !== undefined && candidate.startsWith(prefix) && name.split('_').every((word) => words.has(word))
  );
}

/** Characters to put in, take out, replace, or swap with the next, until `a` is `b` (optimal string alignment). */
function countEdits(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    rows.push(current);
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      const isSwap = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current[column] = Math.min(
        at(row - 1, column) + 1,
        at(row, column - 1) + 1,
        at(row - 1, column - 1) + (isSame ? 0 : 1),
        isSwap ? at(row - 2, column - 2) + 1 : Infinity,
      );
    }
  }
  return at(a.length, b.length);
}
