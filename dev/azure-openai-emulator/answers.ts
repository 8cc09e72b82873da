/** The answers of the emulated model: a few known questions, also as follow-ups in a conversation. */
import { CONNECTION_POOL, HAIKU, PROTOCOL_TABLE, RETRY_CODE, SERVERLESS_TEXT } from './texts.ts';

/** One message of a conversation, its text parts joined. */
export interface Message {
  role: string;
  content: string;
}

const QUOTE_CHARS = 80;

const CAPITALS: Record<string, string> = {
  Australia: 'Canberra',
  Brazil: 'Brasília',
  Canada: 'Ottawa',
  Egypt: 'Cairo',
  France: 'Paris',
  Germany: 'Berlin',
  India: 'New Delhi',
  Italy: 'Rome',
  Japan: 'Tokyo',
  Kenya: 'Nairobi',
  Portugal: 'Lisbon',
  Spain: 'Madrid',
};

/** The conversation before the question. */
interface Earlier {
  questions: string[];
  /** The answer to the last question; undefined in a new conversation. */
  lastAnswer: string | undefined;
}

/** `answer` returns null when the rule does not apply after all. `word` is the text of the pattern's first group. */
type Rule = [pattern: RegExp, answer: (word: string, earlier: Earlier) => string | null];

const CAPITAL = /\bcapital (?:city )?of (\p{L}+)/iu;
const NAME = /\bmy name is (\p{L}[\p{L}'-]*)/iu;

// The first rule that matches and returns an answer is used.
const RULES: Rule[] = [
  [CAPITAL, capitalOf],
  [/^(?:and|what about|how about) (\p{L}+) ?\??$/iu, followUp],
  [/\bwhat(?:'s|’s| is) my name\b/iu, (_, { questions }) => nameIn(questions)],
  [NAME, (name) => `Nice to meet you, ${name}.`],
  [/\bwhat (?:is|was) my (?:last|previous) question\b/iu, (_, { questions }) => lastQuestion(questions)],
  [/\b(?:shorter|in one sentence|summari[sz]e)\b/iu, (_, { lastAnswer }) => firstSentence(lastAnswer)],
  [/\bhaiku\b/iu, () => HAIKU],
  [/\bconnection pool/iu, () => CONNECTION_POOL],
  [/\btable\b/iu, () => PROTOCOL_TABLE],
  [/\bretry\b/iu, () => RETRY_CODE],
  [/\bserverless\b/iu, () => SERVERLESS_TEXT],
  [/^(?:hi|hello|hey)(?: there)?[ !.]*$/iu, () => 'Hello! How can I help you today?'],
];

/** Answers the last user message, with the earlier user messages as context. */
export function answerTo(messages: Message[]): string {
  const questions = messages.filter(({ role }) => role === 'user').map(({ content }) => content.trim());
  const question = questions.pop() ?? '';
  const lastAnswer = messages.findLast(({ role }) => role === 'assistant')?.content;
  for (const [pattern, answer] of RULES) {
    const match = pattern.exec(question);
    const text = match && answer(match[1] ?? '', { questions, lastAnswer });
    if (text) return text;
  }
  return `I know only a few answers, and none to "${shorten(question)}". Ask me for a haiku, or about serverless computing.`;
}

function capitalOf(word: string): string | null {
  const country = Object.keys(CAPITALS).find((name) => name.toLowerCase() === word.toLowerCase());
  return country ? `The capital of ${country} is ${CAPITALS[country]}.` : null;
}

function followUp(word: string, { questions }: Earlier): string | null {
  if (questions.some((text) => CAPITAL.test(text))) return capitalOf(word);
  return `What would you like to know about ${word}?`;
}

function nameIn(questions: string[]): string {
  const name = questions.map((text) => NAME.exec(text)?.[1]).findLast(Boolean);
  return name ? `Your name is ${name}.` : 'You have not told me your name.';
}

function lastQuestion(questions: string[]): string {
  const last = questions.at(-1);
  return last === undefined ? 'This is your first question.' : `Your last question was: "${shorten(last)}"`;
}

function firstSentence(text: string | undefined): string | null {
  // Not of a table, a heading or code.
  return /^[^|#`\n][^\n]*?[.!?](?=\s|$)/mu.exec(text ?? '')?.[0] ?? null;
}

function shorten(text: string): string {
  // Counts code points, so that no surrogate pair is split.
  const characters = Array.from(text);
  return characters.length > QUOTE_CHARS ? `${characters.slice(0, QUOTE_CHARS).join('')}…` : text;
}
