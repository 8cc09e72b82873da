/** Chooses the content coding of a response by the request's Accept-Encoding (RFC 9110, section 12.5.3). */

/** The codings in which the files of the page exist; the first is preferred. `identity` means not compressed. */
export const ENCODINGS = ['br', 'gzip', 'identity'] as const;

export type Encoding = (typeof ENCODINGS)[number];

/** Not a weight that a client can send: it ranks `identity`, which is allowed unless it is excluded, behind the others. */
const UNLISTED = 0.0001;
const MEMBER = /^([!#$%&'*+.^_`|~\w-]+)(?:\s*;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/i;

/**
 * The coding that the client prefers, and of equal ones the first of {@link ENCODINGS}. Undefined when the client
 * excludes all of them. A client that sends no header may not decode any coding.
 */
export function chooseEncoding(acceptEncoding: string | null): Encoding | undefined {
  const weights = readWeights(acceptEncoding ?? '');
  const weightOf = (name: Encoding): number =>
    weights.get(name) ?? weights.get('*') ?? (name === 'identity' ? UNLISTED : 0);
  const best = Math.max(...ENCODINGS.map(weightOf));
  return best > 0 ? ENCODINGS.find((name) => weightOf(name) === best) : undefined;
}

/** The weight of each coding of the header. A member that is not valid is ignored. */
function readWeights(header: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const member of header.split(',')) {
    const [, name, weight = '1'] = MEMBER.exec(member.trim()) ?? [];
    if (name !== undefined) weights.set(name.toLowerCase().replace(/^x-gzip$/, 'gzip'), Number(weight));
  }
  return weights;
}
