/** Writes a session as Markdown or JSON, and hands the file to the browser. */
import type { ChatMessage, Session } from '../../src/lib/contract/responses.ts';
import { element } from '../parts/dom.ts';

/** The formats of an export. */
export type ExportFormat = 'markdown' | 'json';

/** The part of a title that a file name has. */
const BEGINNING = /^.{0,60}/u;
/** Time for the browser to take the file. */
const TAKE_MS = 10_000;

/** Saves a session as a file that is named after its title. */
export function save(session: Session, title: string, format: ExportFormat): void {
  const [text, extension, type] =
    format === 'json'
      ? [`${JSON.stringify(session, null, 2)}\n`, 'json', 'application/json']
      : [markdownOf(session, title), 'md', 'text/markdown'];
  const href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  element('a', { href, download: `${fileName(title)}.${extension}` }).click();
  setTimeout(() => URL.revokeObjectURL(href), TAKE_MS);
}

/** The letters and digits of the title; everything else may have a meaning for a file system. */
function fileName(title: string): string {
  const words = title.match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  const [name = ''] = BEGINNING.exec(words.join('-')) ?? [];
  return name.replace(/-$/, '') || 'conversation';
}

function markdownOf({ chat_history: messages, created_at: createdAt }: Session, title: string): string {
  const day = new Date(createdAt).toLocaleDateString('en-GB', { dateStyle: 'long' });
  const head = [`# ${oneLine(title)}`, `Begun on ${day}.`];
  return `${[...head, ...messages.flatMap(partsOf)].join('\n\n')}\n`;
}

function partsOf({ role, content, shortened }: ChatMessage): string[] {
  const note = shortened ? ['*This text was too long to be stored completely.*'] : [];
  // Answers are Markdown; questions are shown as they were typed.
  if (role === 'ai') return ['**Answer**', content, ...note];
  return ['---', '**Question**', fenced(content), ...note];
}

/** A code block whose fence is longer than any in the text. */
function fenced(text: string): string {
  const runs = text.match(/`+/g) ?? [];
  const fence = '`'.repeat(Math.max(3, ...runs.map(({ length }) => length + 1)));
  return `${fence}text\n${text}\n${fence}`;
}

/** A title without line breaks, and with its punctuation taken literally. */
const oneLine = (title: string): string =>
  title.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*_<>[\]#|~$&]/g, '\\$&');
