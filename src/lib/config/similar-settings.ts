/** Finds mistyped names of settings, which would otherwise be ignored silently. */

/** Names with these prefixes are most likely meant for this app. */
const APP_PREFIX = /^(AZURE_OPENAI|ANSWER_CACHE|SESSIONS|HISTORY|MODEL)_/;
/** Most typing errors in a name. In a short name only one is allowed, because unrelated short names are often close. */
const MAX_EDITS = 2;
const SHORT_NAME_LENGTH = 10;

/** Returns a sentence for each of `names` that is not in `known` but is similar to a name there. */
export function similarNameWarnings(names: readonly string[], known: ReadonlySet<string>): string[] {
  return names
    .filter((name) => !known.has(name))
    .flatMap((name) => {
      const suggestion = closestName(name.toUpperCase(), known);
      return suggestion === undefined
        ? []
        : `${name} is not a setting of this app: did you mean ${suggestion}?`;
    });
}

function closestName(name: string, known: ReadonlySet<string>): string | undefined {
  const closest = [...known]
    // Counting takes long while the process starts, and each letter more or less is an edit.
    .filter((candidate) => isPartOf(name, candidate) || Math.abs(name.length - candidate.length) <= MAX_EDITS)
    .map((candidate) => ({ candidate, edits: countEdits(name, candidate.toUpperCase()) }))
    .filter(
      ({ candidate, edits }) =>
        edits <= (candidate.length < SHORT_NAME_LENGTH ? 1 : MAX_EDITS) || isPartOf(name, candidate),
    )
    .toSorted((a, b) => a.edits - b.edits);
  return closest[0]?.candidate;
}

/** Whether `name` is `candidate` with some words omitted, such as AZURE_OPENAI_KEY for AZURE_OPENAI_API_KEY. */
function isPartOf(name: string, candidate: string): boolean {
  const prefix = APP_PREFIX.exec(name)?.[0];
  const words = new Set(candidate.split('_'));
  return (
    prefix !== undefined && candidate.startsWith(prefix) && name.split('_').every((word) => words.has(word))
  );
}

/** Edit distance by insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
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
