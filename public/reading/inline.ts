/** Inline Markdown: emphasis, code, links. Runs in linear time for any text. */
import { element } from '../parts/dom.ts';

const ESCAPE = /\\([!-/:-@[-`{-~])/y;
const BACKTICKS = /`+/g;
const LINK =
  /!?\[((?:[^[\]\\]|\\.)*)\]\((?:<([^<>\n]*)>|([^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*))(?: {1,4}"[^"]*")? ?\)/y;
const ADDRESS = /<?((?:https?:\/\/|mailto:)[^\s<>]+)>?/y;
const LINE_BREAK = /(?: *\\)? *\n|<br *\/?>/iy;
const EMPHASIS = /\*+|_+|~~/y;
const PLAIN = /(?:[^\\`![<hm*_~\n ]|h(?!ttps?:)|m(?!ailto:)| (?=[^\s\\]))+| +|./suy;

const TAGS: Record<string, 'strong' | 'em' | 'del'> = {
  '**': 'strong',
  __: 'strong',
  '*': 'em',
  _: 'em',
  '~~': 'del',
};

/** Renders a text. `linked` means inside a link, which cannot contain links. */
export function inline(text: string, linked = false): DocumentFragment {
  const result = document.createDocumentFragment();
  // Open emphasis, innermost last. Each marker is open at most once, so there are few.
  const open: { marker: string; node: DocumentFragment }[] = [{ marker: '', node: result }];
  const add = (node: Node | string) => open.at(-1)?.node.append(node);
  /** Ends the innermost one: as an element, or as plain text if it is not closed. */
  const end = (closed: boolean) => {
    const ended = open.pop();
    const tag = ended && TAGS[ended.marker];
    if (closed && tag) add(element(tag, {}, ended.node));
    else if (ended) open.at(-1)?.node.append(ended.marker, ended.node);
  };
  /** Splits a run of markers. */
  const emphasize = (run: string, before: string, after: string) => {
    const inWord = run[0] === '_' && /[\p{L}\p{N}]/u.test(before) && /[\p{L}\p{N}]/u.test(after);
    const canOpen = !inWord && /\S/.test(after);
    const canClose = !inWord && /\S/.test(before);
    for (let rest = run; rest;) {
      const closes = open.findLastIndex(({ marker }) => marker && rest.startsWith(marker));
      const marker = closes > 0 && canClose ? (open[closes]?.marker ?? '') : rest.slice(0, 2);
      if (closes > 0 && canClose) {
        while (open.length > closes + 1) end(false);
        end(true);
      } else if (canOpen && !open.some((each) => each.marker === marker)) {
        open.push({ marker, node: document.createDocumentFragment() });
      } else {
        add(marker);
      }
      rest = rest.slice(marker.length);
    }
  };

  /** Lengths of backtick runs without a closing run. */
  const unclosed = new Set<number>();
  for (let at = 0; at < text.length;) {
    const match = (pattern: RegExp) => {
      pattern.lastIndex = at;
      const found = pattern.exec(text);
      if (found) at += found[0].length;
      return found;
    };
    const start = at;
    let found: RegExpExecArray | null;
    if ((found = match(ESCAPE))) add(found[1] ?? '');
    else if (text[at] === '`') {
      const code = codeAt(text, at, unclosed);
      at += code.length;
      add(code.node);
    } else if ((found = match(LINK))) {
      const [, label = '', inBrackets, bare = ''] = found;
      add(linked ? label : link(inBrackets ?? bare, inline(label, true)));
    } else if (!linked && !/\w/.test(text[at - 1] ?? '') && (found = match(ADDRESS))) {
      const address = trimAddress(found[1] ?? '');
      // The trimmed part is text and may contain markup.
      if (!found[0].startsWith('<')) at = start + address.length;
      add(link(address, address));
    } else if (match(LINE_BREAK)) add(element('br'));
    else if ((found = match(EMPHASIS))) emphasize(found[0], text[start - 1] ?? ' ', text[at] ?? ' ');
    else add(match(PLAIN)?.[0] ?? '');
  }
  while (open.length > 1) end(false);
  result.normalize();
  return result;
}

/** The code after a run of backticks, or the run itself when no run of the same length closes it. */
function codeAt(text: string, at: number, unclosed: Set<number>): { length: number; node: Node | string } {
  BACKTICKS.lastIndex = at;
  const run = BACKTICKS.exec(text)?.[0] ?? '`';
  if (!unclosed.has(run.length)) {
    for (let close: RegExpExecArray | null; (close = BACKTICKS.exec(text));) {
      if (close[0].length !== run.length) continue;
      const code = text.slice(at + run.length, close.index).replaceAll('\n', ' ');
      const isPadded = code.startsWith(' ') && code.endsWith(' ') && code.trim() !== '';
      const length = close.index + run.length - at;
      return { length, node: element('code', {}, isPadded ? code.slice(1, -1) : code) };
    }
    unclosed.add(run.length);
  }
  return { length: run.length, node: run };
}

/** Removes punctuation that ends the sentence, not the URL. */
function trimAddress(address: string): string {
  let end = address.length;
  while (end > 0 && /[.,:;!?'"*_~)\]|]/.test(address[end - 1] ?? '')) end--;
  return address.slice(0, end);
}

/** A link to a safe URL; only the label for others, such as `javascript:`. */
function link(address: string, label: Node | string): Node | string {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !['http:', 'https:', 'mailto:'].includes(url.protocol)) return label;
  return element('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer' }, label);
}
